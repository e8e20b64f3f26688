"""Network elements, configured in the database, so that all processes agree."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, Integer, func, insert, literal, select, update

from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import reason_for
from duanka.domain.errors import DuankaError
from duanka.domain.network import NetworkState
from duanka.domain.order import SYSTEM, OrderError
from duanka.domain.person import Person
from duanka.ledger.audit.row_digests import ELEMENTS, found
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.bulk import upsert
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import cards, orders, outbox
from duanka.ledger.db.tables_installation import elements
from duanka.ledger.lease_queue import closed

_MAX_CHANGES = 10_000_000
_ALLOWED_FOR = timedelta(days=1)
ELEMENT_NAMES = ("home_register", "call_proxy", "message_proxy")


class ElementDiffers(DuankaError):
    """A setting and the database name different addresses of an element."""


class NetworkElements:
    """Network elements in the database; every change is audited."""

    def __init__(self, store: Store, trail: Trail) -> None:
        self._store, self._trail = store, trail

    def addresses(self) -> dict[str, str]:
        """Return the elements that receive orders: name -> address."""
        with self._store.reading() as connection:
            return {name: address for name, address in _rows(connection).items() if address}

    def check(self, given: Mapping[str, str]) -> None:
        """ElementDiffers, with the next step, if the settings contradict the database."""
        with self._store.reading() as connection:
            _check(given, _rows(connection))

    def take_over(self, given: Mapping[str, str], now: datetime) -> dict[str, str]:
        """Store elements that only the settings name; return all that receive orders.

        So the first worker configures the database. An element that a person removed is not put back.

        ElementDiffers: as in `check`.
        """

        def work(connection: Connection) -> dict[str, str]:
            known = _rows(connection)
            _check(given, known)
            for name, address in given.items():
                if name not in known:
                    why = f"taken over from DUANKA_{name.upper()}"
                    self._write(connection, name, address, SYSTEM, why, now)
            return {name: address for name, address in _rows(connection).items() if address}

        known = self.addresses()
        return known if known == dict(given) else self._store.transact(work)

    def set(self, name: str, address: str, by: Person, why: str, now: datetime) -> int:
        """Add or move an element; return the number of restricted cards queued for it.

        OrderError: no such element. PermissionDenied: needs a supervisor.
        """
        _may_change(name, by, why)
        return self._store.transact(lambda c: self._write(c, name, address, by, why, now))

    def remove(self, name: str, by: Person, why: str, now: datetime) -> None:
        """Remove an element; its pending outbox rows are dropped."""
        _may_change(name, by, why)

        def work(connection: Connection) -> None:
            if not _rows(connection).get(name):
                raise OrderError(f"{name} is not configured; `duanka network list` shows what is")
            self._write(connection, name, "", by, why, now)
            waiting = (outbox.c.element == name, outbox.c.done_at.is_(None))
            connection.execute(update(outbox).where(*waiting).values(closed(now, "superseded")))

        self._store.transact(work)

    def allow(self, name: str, changes: int, by: Person, why: str, now: datetime) -> None:
        """Allow the next reconciliation to change up to `changes` cards, within a day.

        OrderError: no such element, or a bad number. PermissionDenied: needs a supervisor.
        """
        authorize(by, Permission.ALLOW_CHANGES)
        why = reason_for(why, "so many changes are allowed")
        if not 0 < changes <= _MAX_CHANGES:
            raise OrderError(f"--changes is a number of cards, 1 to {_MAX_CHANGES:,}")

        def work(connection: Connection) -> None:
            if not _rows(connection).get(name):
                raise OrderError(f"{name} is not configured; `duanka network list` shows what is")
            until = now + _ALLOWED_FOR
            values = {"changes_allowed": changes, "allowed_until": until}
            was = found(connection, ELEMENTS, name)
            connection.execute(update(elements).where(elements.c.name == name).values(values))
            told = {"changes_allowed": changes, "allowed_until": until.isoformat()}
            entry = AuditEntry(now, by, "element.allow", name, why, {}, told, found=was)
            self._trail.append(connection, [entry])

        self._store.transact(work)

    def _write(
        self, connection: Connection, name: str, address: str, by: Person, why: str, now: datetime
    ) -> int:
        before = _rows(connection).get(name, "")
        facts = {"address": address, "changed_at": now, "changes_allowed": None, "allowed_until": None}
        found_as = found(connection, ELEMENTS, name)
        statement = upsert(connection, elements).values(name=name, **facts)
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=facts))
        what = "element.set" if address else "element.remove"
        was = {"address": before} if before else {}
        entry = AuditEntry(now, by, what, name, why, was, {"address": address}, found=found_as)
        self._trail.append(connection, [entry])
        return _bring_up_to_date(connection, name, now) if address and not before else 0


def element_names(connection: Connection) -> tuple[str, ...]:
    """Return the names of the elements that receive orders, within a transaction."""
    return tuple(sorted(name for name, address in _rows(connection).items() if address))


def changes_allowed(connection: Connection, name: str, now: datetime) -> int:
    """Return how many cards the next reconciliation may change; 0: no allowance."""
    row = select(elements.c.changes_allowed).where(elements.c.name == name, elements.c.allowed_until > now)
    return connection.execute(row).scalar() or 0


def use_allowance(connection: Connection, trail: Trail, name: str, changed: int, now: datetime) -> None:
    """Use the allowance up after a reconciliation."""
    values = {"changes_allowed": None, "allowed_until": None}
    was = found(connection, ELEMENTS, name)
    connection.execute(update(elements).where(elements.c.name == name).values(values))
    entry = AuditEntry(now, SYSTEM, "element.compared", name, after={"changed": changed}, found=was)
    trail.append(connection, [entry])


def _rows(connection: Connection) -> dict[str, str]:
    rows = connection.execute(select(elements.c.name, elements.c.address).order_by(elements.c.name))
    return {row.name: row.address for row in rows}


def _check(given: Mapping[str, str], known: Mapping[str, str]) -> None:
    for name, address in given.items():
        if name in known and known[name] != address:
            there = known[name] or "taken out"
            raise ElementDiffers(
                f"DUANKA_{name.upper()} says {address}, and the order database says {there}: unset the setting, or"
                f" let a supervisor change the database: duanka network set {name} {address}"
            )


def _may_change(name: str, by: Person, why: str) -> None:
    authorize(by, Permission.CONFIGURE_NETWORK)
    if name not in ELEMENT_NAMES:
        raise OrderError(f"no element {name!r}; elements are {', '.join(ELEMENT_NAMES)}")
    reason_for(why, f"{name} is changed")


def _bring_up_to_date(connection: Connection, name: str, now: datetime) -> int:
    """Queue every restricted card for a new element; return how many.

    Reconciliation would do the same, later.
    """
    stopped = (
        select(
            cards.c.order_id,
            func.coalesce(orders.c.step, literal(0, Integer)),
            literal(name),
            cards.c.card,
            cards.c.wanted,
            literal(now, outbox.c.created_at.type),
            literal(now, outbox.c.next_try_at.type),
        )
        .join(orders, orders.c.id == cards.c.order_id)
        .where(cards.c.wanted != NetworkState.ACTIVE.value)
        .where(
            ~select(outbox.c.id)
            .where(
                outbox.c.order_id == cards.c.order_id,
                outbox.c.step == orders.c.step,
                outbox.c.element == name,
            )
            .exists()
        )
    )
    into = ["order_id", "step", "element", "card", "wanted", "created_at", "next_try_at"]
    count = connection.execute(select(func.count()).select_from(stopped.subquery())).scalar_one()
    connection.execute(insert(outbox).from_select(into, stopped))
    return count
