"""How an order stands at a counter: what may be recorded there, and what waits for a second person."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field
from sqlalchemy import Connection, RowMapping, select

from duanka.domain.authority import Permission, may
from duanka.domain.counter_check import Document
from duanka.domain.order import Event, Kind, Order, Person, State, states_before
from duanka.domain.order_policy import OrderPolicy
from duanka.ledger.db.rows import order_of
from duanka.ledger.db.tables import orders
from duanka.ledger.db.tables_identity import counter_checks
from duanka.orders.masking import MASKED, ShownNumber, View

BEGUN_FROM = states_before(Kind.VERIFICATION, Event.BEGIN)
VERIFIED_FROM = BEGUN_FROM | {State.IN_PROGRESS, State.UNDER_REVIEW, State.EXPIRED, State.FAILED}
_TAKEN_BACK_FROM = states_before(Kind.DISAVOWAL, Event.WITHDRAW)


class CounterWaitingShown(View):
    """A verification in person that waits for a second member of the staff."""

    order_id: str = Field(examples=["V0123456789AB"])
    card: ShownNumber
    tier: str = Field(examples=["extreme"])
    document: Document
    counter: str
    first_by: str = Field(description="Who recorded it, and may not confirm it.")
    first_at: datetime


class CounterStandingShown(View):
    """How an order stands at a counter (营业厅核验), for the person who asks."""

    may_record: bool = Field(
        description="They may record now what they see: `counter-check`, of a disavowal `take-back`."
    )
    two_people: bool = Field(description="Its tier takes a second person (须双人复核).")
    waiting: CounterWaitingShown | None = Field(description="What waits for a second person.")


def standing(
    connection: Connection, policy: OrderPolicy, order_id: str, by: Person
) -> CounterStandingShown | None:
    """Return how an order stands that `by` may read; None: counters have nothing to do with its kind.

    Of a stop: how the verification behind it stands, whose id the holder's notice need not have.
    """
    named = _order(connection, orders.c.id == order_id)
    if named is None or named.kind is Kind.OBJECTION:
        return None
    order = _behind(connection, named)
    row = waiting_row(connection, order)
    waits = waiting_shown(row) if row and may(by.role, Permission.LIST_COUNTER_CHECKS) else None
    return CounterStandingShown(
        may_record=row is None and _may_record(order, by),
        two_people=order.tier in policy.identity.second_person_tiers,
        waiting=waits,
    )


def waiting_row(connection: Connection, order: Order) -> RowMapping | None:
    """Return the record of an open order that waits for a second person, with card and tier."""
    columns = counter_checks.c
    query = (
        select(counter_checks, orders.c.card, orders.c.tier)
        .join(orders, orders.c.id == columns.order_id)
        .where(columns.order_id == order.id, columns.outcome.is_(None), orders.c.closed_at.is_(None))
    )
    return connection.execute(query).mappings().first()


def waiting_shown(row: RowMapping) -> CounterWaitingShown:
    """Show a record that waits, with card and tier of its order; the number masked."""
    return CounterWaitingShown.of({**row, "card": MASKED.number(row["card"])})


def _may_record(order: Order, by: Person) -> bool:
    if order.closed_at:
        return False
    if order.kind is Kind.DISAVOWAL:
        return order.state in _TAKEN_BACK_FROM and may(by.role, Permission.RECORD_DISAVOWAL)
    is_verified = order.kind is Kind.VERIFICATION and order.state in VERIFIED_FROM
    return is_verified and may(by.role, Permission.RECORD_COUNTER_CHECK)


def _behind(connection: Connection, order: Order) -> Order:
    """Return the open verification behind an open stop, else the order itself."""
    if order.kind is not Kind.RESTRICTION or order.closed_at:
        return order
    same_card = orders.c.card == order.card, orders.c.kind == Kind.VERIFICATION.value
    return _order(connection, *same_card, orders.c.closed_at.is_(None)) or order


def _order(connection: Connection, *which: object) -> Order | None:
    row = connection.execute(select(orders).where(*which)).mappings().first()  # type: ignore[arg-type]
    return order_of(row) if row else None
