"""An order database for tests: a clock at a fixed moment, three elements, invented cards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Integer, Table, delete, insert, select, text

from duanka.domain.bulk_action import BulkAction, BulkActionState
from duanka.domain.order import SYSTEM, Event, Kind, Order, Person, Role
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import metadata
from duanka.ledger.db.tables_installation import installation
from duanka.ledger.unit_of_work.unit_of_work import Terms, UnitOfWork
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.effects import apply_event
from duanka.orders.intake.receiving import Received, receive_in
from duanka.orders.police_stops import police_stop
from duanka.orders.queries.service import OrderQueries
from duanka.orders.service import OrderService
from support.order_policies import AT_ONCE

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)
ELEMENTS = ("home_register", "call_proxy", "message_proxy")
KEY = b"a key of a test, thirty-two bytes"
DESK, SECOND = Person("wang", Role.DESK), Person("li", Role.SUPERVISOR)
POLICE = Person("liaison", Role.POLICE)


def card(number: int) -> str:
    return str(8613000000000 + number)


def demand(
    number: int = 0, asked: RequestedAction = RequestedAction.VERIFY, **changes: object
) -> OrderDecision:
    facts: dict[str, object] = {
        "tier": "medium",
        "reason": BilingualText("一天外呼80个陌生号码", "80 strangers called in a day"),
        "rules": ("fan_out",),
        "id": "0123456789abcdef:1",  # as a scan's, with a seal
        "signed_by": ("city bureau",) if asked is RequestedAction.STOP else (),
    }
    return OrderDecision(card(number), asked, **{**facts, **changes})  # type: ignore[arg-type]


def book_on(
    store: Store, policy: OrderPolicy | None = None, elements: tuple[str, ...] = ELEMENTS
) -> OrderService:
    return OrderService(store, Terms(policy or AT_ONCE, Trail(KEY), elements))


def receive(
    book: OrderService, demands: Sequence[OrderDecision], now: datetime, by: Person = SYSTEM
) -> Received:
    """Make orders of decisions, as the API does."""
    return book.transaction(lambda unit: receive_in(unit, demands, by), now)


def verification(book: OrderService, number: int = 0) -> Order:
    found = book.transaction(lambda unit: unit.open_order(card(number), Kind.VERIFICATION), NOW)
    assert found is not None
    return found


def restriction(book: OrderService, number: int = 0) -> Order | None:
    return book.transaction(lambda unit: unit.open_order(card(number), Kind.RESTRICTION), NOW)


def delivered(book: OrderService, number: int = 0, at: datetime = NOW) -> Order:
    """An order whose notice is delivered at `at`."""
    receive(book, [demand(number)], at)
    return book.apply(verification(book, number).id, Event.DELIVERED, SYSTEM, "receipt", at, delivered_at=at)


def acts_of(acts: BulkActionService, by: Person, *states: BulkActionState) -> list[BulkAction]:
    """The acts that `by` sees, the latest first, in one of `states`."""
    found = OrderQueries(acts.orders.store, acts.orders.terms.trail).bulk_actions(by).items
    return [acts.get(one.id) for one in found if not states or one.state in states]


def decided_by_second(book: OrderService, by: Person = SECOND, at: datetime = NOW) -> BulkAction:
    """The one stop that waits for a second person, approved by `by` and carried out."""
    acts = BulkActionService(book)
    (proposed,) = acts_of(acts, SECOND, BulkActionState.PROPOSED)
    acts.approve(proposed.id, by, "seen", at)
    acts.carry_out(at)
    return acts.get(proposed.id)


Backup = Mapping[Table, Sequence[Mapping[Any, Any]]]


def backup_of(store: Store, tables: Sequence[Table] = ()) -> Backup:
    """Every row, or those of `tables`, to put back later."""
    with store.reading() as connection:
        tables = tables or metadata.sorted_tables
        return {table: connection.execute(select(table)).mappings().all() for table in tables}


def restore(store: Store, backup: Backup) -> None:
    """The database as it was, as a backup that is restored."""
    with store.writing() as connection:
        for table, rows in backup.items():
            connection.execute(delete(table))
            if rows:
                connection.execute(insert(table), [dict(row) for row in rows])


# what each story left in a new order database of either kind
_STORIES: dict[tuple[Callable[[Store], None], bool], Backup] = {}
_SEQUENCE_ON = """SELECT setval(pg_get_serial_sequence(:table, :column), :last)
    WHERE pg_get_serial_sequence(:table, :column) IS NOT NULL"""


def told_once(store: Store, story: Callable[[Store], None]) -> None:
    """Let `story` happen in `store`, which is new.

    A process does it once for each kind of database, and copies the rows afterwards: a function of a module.
    """
    assert "<locals>" not in story.__qualname__, "each call makes another function, which would be told anew"
    name = story, store.embedded
    if name not in _STORIES:
        story(store)
        kept = backup_of(store)
        _STORIES[name] = {table: kept[table] for table in kept if kept[table] and table is not installation}
        return
    restore(store, _STORIES[name])
    if store.embedded:
        return
    with store.writing() as connection:  # the next number of a row is after those that were copied
        for table, rows in _STORIES[name].items():
            (column, *_) = table.primary_key.columns
            if isinstance(column.type, Integer) and column.autoincrement is True:
                last = max(row[column.name] for row in rows)
                at = {"table": table.name, "column": column.name, "last": last}
                connection.execute(text(_SEQUENCE_ON), at)


def all_delivered(orders: OrderService, numbers: Iterable[int], at: datetime = NOW) -> None:
    """As `delivered` for each of these cards, in two transactions."""
    receive(orders, [demand(number) for number in numbers], at)

    def deliver(unit: UnitOfWork) -> None:
        unit.lock([card(number) for number in numbers])
        for number in numbers:
            order = unit.open_order(card(number), Kind.VERIFICATION)
            assert order is not None
            apply_event(unit, order, Event.DELIVERED, SYSTEM, "receipt", delivered_at=at)

    orders.transaction(deliver, at)


def all_stopped(orders: OrderService, numbers: Iterable[int]) -> None:
    """Each of these cards stopped by the police, in one transaction."""

    def stop(unit: UnitOfWork) -> None:
        unit.lock([card(number) for number in numbers])
        for number in numbers:
            police_stop(unit, card(number), "A1", POLICE, "notice")

    orders.transaction(stop, NOW)
