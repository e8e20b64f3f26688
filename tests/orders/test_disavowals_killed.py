"""Kill -9 while a number that its registrant disowned is stopped: the stop is whole or not there, and never twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from duanka.domain.counter_check import Document
from duanka.domain.disavowal import DisavowalSeen
from duanka.domain.order import Kind, Order, State
from duanka.domain.person import Person, Role
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit, notices, orders, outbox
from duanka.ledger.unit_of_work.unit_of_work import Terms
from duanka.orders.disavowals.service import Disavowals
from duanka.orders.service import OrderService
from duanka.orders.verification.counter import Counter
from support.fakes import read_journal
from support.order_policies import AT_ONCE
from support.orders.books import DESK, HOUR, KEY, NOW, card
from support.orders.dying_worker import NAMES, STEPS, killed_after, killed_at, work
from support.waiting import HANG

SEEN = DisavowalSeen(
    Document.ID_CARD,
    "长安街营业厅",
    person_present=True,
    in_register=True,
    statement_signed=True,
    outlet="W-17",
)
OTHER = Person("zhao", Role.DESK)


def book_of(store: Store) -> OrderService:
    return OrderService(store, Terms(AT_ONCE, Trail(KEY), NAMES))


def confirming(ids: list[str], at: datetime) -> Callable[[OrderService], None]:
    """The second name confirms those of the disavowals that still wait for it."""

    def confirm(book: OrderService) -> None:
        for number in ids:
            if _order(book, number).state is State.CLAIMED:
                Counter(book).confirm(number, OTHER, "seen too", at)

    return confirm


def _order(book: OrderService, number: str) -> Order:
    return book.transaction(lambda unit: unit.order(number), NOW)


def claimed(book: OrderService, number: int, at: datetime = NOW) -> str:
    return (
        Disavowals(book).record(card(number), SEEN, DESK, "the document is theirs, the number is not", at).id
    )


def stopped_once(store: Store, folder: Path, ids: list[str]) -> None:
    """Each of the disavowals, of card(0) on: confirmed once, one stop of its own, every element told once."""
    with store.reading() as connection:
        rows = connection.execute(
            select(orders.c.kind, orders.c.state, func.count()).group_by("kind", "state")
        )
        assert {tuple(row) for row in rows} == {
            (Kind.DISAVOWAL, State.CONFIRMED, len(ids)),
            (Kind.RESTRICTION, State.STOPPED_AT_REQUEST, len(ids)),
        }
        said = select(audit.c.subject).where(audit.c.what == "disavowal.confirm").order_by(audit.c.subject)
        assert connection.execute(said).scalars().all() == sorted(ids)
        left = select(func.count()).select_from(outbox).where(outbox.c.done_at.is_(None))
        assert connection.execute(left).scalar_one() == 0
        written = connection.execute(select(notices.c.template, notices.c.order_id)).all()
        assert len(written) == len({row.order_id for row in written}) == len(ids)
        assert {row.template for row in written} == {"stopped_at_request"}
    for name in NAMES:
        told = [(line["card"], line["state"]) for line in read_journal(folder / name) if line["changed"]]
        assert sorted(told) == [(card(number), "suspended") for number in range(len(ids))], name
    assert not [fault for fault in Trail(KEY).verify(store) if isinstance(fault, Fault)]


@pytest.mark.requirement("R2")
def test_killed_at_each_step_of_the_stop_the_rest_is_done_and_nothing_twice(
    store: Store, order_database_url: str, tmp_path: Path
) -> None:
    book, ids = book_of(store), list[str]()
    for number, step in enumerate(STEPS):
        at = NOW + number * HOUR
        ids.append(claimed(book, number, at))
        killed_at(step, order_database_url, tmp_path, at, confirming(ids[-1:], at))
        whole = _order(book, ids[-1]).state is State.CONFIRMED
        assert whole == (not step.startswith("the trail")), "all of it, or nothing"
        for _ in range(2):  # the second time nothing is left; by then every lease of the first one is over
            work(order_database_url, tmp_path, "second", at + HOUR / 2, confirming(ids, at))
        sent = [line["card"] for line in read_journal(tmp_path / "centre")].count(card(number))
        # between the centre's answer and our commit nobody knows: the holder reads it twice rather than never
        assert sent == (2 if step == "a notice was sent" else 1), step
    stopped_once(store, tmp_path, ids)


def _killed_at_random(store: Store, url: str, folder: Path, many: int, kills: int, seed: int) -> None:
    chance, ids = random.Random(seed), [claimed(book_of(store), number) for number in range(many)]
    died = 0
    for number in range(kills):
        at = NOW + number * HOUR  # every lease of the one before is over
        done = _confirmed(store) + many // kills

        def some_are_confirmed(done: int = done, wait: float = chance.uniform(0, 0.05)) -> None:
            begun = time.monotonic()
            while _confirmed(store) < min(done, many) and time.monotonic() - begun < HANG:
                time.sleep(0.002)
            time.sleep(wait)

        def confirm_all(at: datetime = at, name: str = f"{number}") -> None:
            work(url, folder, name, at, confirming(ids, at))

        died += killed_after(some_are_confirmed, confirm_all)
    assert died > kills // 2, "most of them were at work"
    for _ in range(2 + many // 50):  # an element takes so many at once
        work(url, folder, "last", NOW + (kills + 1) * HOUR, confirming(ids, NOW))
    stopped_once(store, folder, ids)


def _confirmed(store: Store) -> int:
    with store.reading() as connection:
        rows = select(func.count()).select_from(orders).where(orders.c.state == State.CONFIRMED)
        return int(connection.execute(rows).scalar_one())


def test_three_kills_while_nine_numbers_are_stopped(
    store: Store, order_database_url: str, tmp_path: Path
) -> None:
    _killed_at_random(store, order_database_url, tmp_path, many=9, kills=3, seed=7)


@pytest.mark.long
def test_fifty_kills_while_two_hundred_numbers_are_stopped(
    store: Store, order_database_url: str, tmp_path: Path
) -> None:
    _killed_at_random(store, order_database_url, tmp_path, many=200, kills=50, seed=11)
