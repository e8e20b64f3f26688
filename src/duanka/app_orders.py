"""Wires the order book: its database, its secret, who acts, and what a scan or a live run found."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from duanka.domain.errors import MissingKey
from duanka.domain.order import NoSuchTransition, NotTheirs, OrderError, Person, Role
from duanka.domain.policy import Policy
from duanka.orders.acts import Acts
from duanka.orders.audit import Trail
from duanka.orders.book import OrderBook, Received
from duanka.orders.checks import Checks
from duanka.orders.counter import Counter
from duanka.orders.intake import Intake
from duanka.orders.keys import Keys
from duanka.orders.links import Links
from duanka.orders.pictures import Pictures
from duanka.orders.reading import Reading
from duanka.orders.reviews import Reviews
from duanka.orders.store import Store
from duanka.orders.turn import Terms, Turn
from duanka.report import DecisionFile
from duanka.settings import Settings

HOME_REGISTER, CALL_PROXY, MESSAGE_PROXY = "home_register", "call_proxy", "message_proxy"
_KEPT_IN = "secret"  # in the folder of the orders


@dataclass(frozen=True)
class Desk:
    """Everything that acts on orders or reads them, on one database under one policy."""

    store: Store
    book: OrderBook
    acts: Acts
    keys: Keys
    links: Links
    reading: Reading
    trail: Trail
    pictures: Pictures
    checks: Checks
    counter: Counter
    reviews: Reviews


@contextmanager
def desk(settings: Settings, policy: Policy) -> Iterator[Desk]:
    """Open the order book; made where it is missing."""
    secret = secret_of(settings)
    store = Store(database_of(settings))
    try:
        trail = Trail(derived(secret, "audit"))
        book = OrderBook(store, Terms(policy.orders, trail, elements_of(settings)))
        links = Links(derived(secret, "links"), policy.orders)
        pictures = Pictures(book, derived(secret, "pictures"))
        yield Desk(
            store,
            book,
            Acts(book),
            Keys(store, trail),
            links,
            Reading(store, trail),
            trail,
            pictures,
            Checks(book, links, pictures, derived(secret, "frames")),
            Counter(book),
            Reviews(book, pictures),
        )
    finally:
        store.close()


def database_of(settings: Settings) -> str:
    """The URL of the order database."""
    if settings.database_url:
        return settings.database_url.get_secret_value()
    return f"sqlite:///{settings.orders / 'orders.sqlite'}"


def secret_of(settings: Settings) -> bytes:
    """The secret of this installation; made once, in a file that only its owner reads."""
    if settings.secret:
        return settings.secret.get_secret_value().encode()
    path = settings.orders / _KEPT_IN
    try:
        return bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    except ValueError as error:
        raise MissingKey(f"{path} is no secret: put the file back as it was, or set DUANKA_SECRET") from error
    made = secrets.token_hex(32)
    aside = path.with_name(f"{_KEPT_IN}.{os.getpid()}")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(made + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)  # whoever comes second takes the secret of the first
    except FileExistsError:
        pass
    finally:
        aside.unlink()
    return bytes.fromhex(path.read_text(encoding="ascii").strip())


def derived(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose, so that one that leaks opens nothing else."""
    return hmac.new(secret, f"duanka {purpose}".encode(), hashlib.sha256).digest()


def elements_of(settings: Settings) -> tuple[str, ...]:
    """The elements of the network that orders go to, by name."""
    named = {
        HOME_REGISTER: settings.home_register,
        CALL_PROXY: settings.call_proxy,
        MESSAGE_PROXY: settings.message_proxy,
    }
    return tuple(name for name, where in named.items() if where)


def who_acts(settings: Settings, keys: Keys) -> Person:
    """The person whose key is set; MissingKey without one."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    person = keys.who(key) if key else None
    if person is None:
        raise MissingKey(
            "who acts? set DUANKA_API_KEY to a key that is in force; `duanka keys add NAME --role desk` gives one"
        )
    return person


def take(here: Desk, folder: Path) -> Received:
    """Turn the decisions in `folder` that were not taken before into orders."""
    return Intake(here.book, DecisionFile(folder)).take_all(now())


def link_for(here: Desk, order_id: str, by: Person, why: str, now: datetime) -> str:
    """The address of a new link for an order, as in a notice; that it was made, by whom and why, stays in the trail."""

    def work(turn: Turn) -> str:
        order = turn.order(order_id)
        if order.closed_at:
            raise NoSuchTransition(f"{order_id} is {order.state}: nothing is left to do by a link")
        turn.note(by, "link.make", order_id, why, {}, {})
        return here.links.make(turn.connection, order_id, now)

    if by.role not in (Role.DESK, Role.SUPERVISOR):
        raise NotTheirs(f"{by.role} makes no links; it takes desk or supervisor")
    if not why.strip():
        raise OrderError("say why a link is made: the reason stays in the audit trail")
    return here.links.address(here.book.turn(work, now))


def now() -> datetime:
    """The present, for the doors: everything below is told the time."""
    return datetime.now(UTC)
