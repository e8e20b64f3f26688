"""Statistics of a period; what counts as handled is read from the audit trail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, Select, func, select

from duanka.domain.order import Event, Kind, Person, State
from duanka.ledger.db.tables import alarms as alarms_table
from duanka.ledger.db.tables import audit, orders
from duanka.ledger.db.tables import drifts as drifts_table
from duanka.ledger.figures.events import ended as ends
from duanka.ledger.figures.refused import by_reason
from duanka.ledger.people.places import cards_in, orders_in
from duanka.orders.masking import NumberMasking
from duanka.orders.views import AlarmShown, CountedShown, DriftShown, FiguresShown

# Steps of a disavowal, and the state after each; these are counted apart.
_OF_DISAVOWALS = {
    f"{Kind.DISAVOWAL}.{event}": state.value
    for event, state in (
        (Event.CONFIRM, State.CONFIRMED),
        (Event.WITHDRAW, State.WITHDRAWN),
        (Event.CANCEL, State.CANCELLED),
        (Event.DISCARD, State.DISCARDED),
    )
}


def figures(connection: Connection, since: datetime, until: datetime, by: Person) -> FiguresShown:
    """Count what is in `by`'s scope, `since` <= time < `until`; alarms have no scope."""
    ended = _ended(since, until, by).subquery()
    by_end = select(ended.c.what, func.count(ended.c.card.distinct())).group_by(ended.c.what)
    opened = (
        select(orders.c.kind, func.count())
        .where(orders.c.opened_at >= since, orders.c.opened_at < until, *orders_in(by))
        .group_by(orders.c.kind)
    )
    met = by_reason(connection, since, until, by)
    drift = drifts_table.c
    found = select(func.count(), func.count(drift.repaired_at)).where(
        drift.found_at >= since, drift.found_at < until, *cards_in(by, drift.card)
    )
    drifts_found, repaired = connection.execute(found).one()
    raised = alarms_table.c.raised_at
    return FiguresShown(
        since=since,
        until=until,
        handled=connection.execute(select(func.count(ended.c.card.distinct()))).scalar_one(),
        handled_by=_counts(connection.execute(by_end)),
        opened=_counts(connection.execute(opened)),
        disowned=_disowned(connection, since, until, by),
        refused=tuple(
            CountedShown.of({"carried": carried, "reason": reason, "count": count})
            for (carried, reason), count in sorted(met.items())
        ),
        alarms=connection.execute(select(func.count()).where(raised >= since, raised < until)).scalar_one(),
        drifts=drifts_found,
        drifts_repaired=repaired,
    )


def _disowned(connection: Connection, since: datetime, until: datetime, by: Person) -> dict[str, int]:
    """Count disavowals by the state that they came into in the period."""
    moved = (
        select(audit.c.what, func.count(orders.c.card.distinct()))
        .join(orders, orders.c.id == audit.c.subject)
        .where(audit.c.what.in_(_OF_DISAVOWALS), audit.c.at >= since, audit.c.at < until, *orders_in(by))
        .group_by(audit.c.what)
    )
    counted = _counts(connection.execute(moved))
    return {state: counted[what] for what, state in _OF_DISAVOWALS.items() if what in counted}


def handled(
    connection: Connection, since: datetime, until: datetime, after: int, limit: int, by: Person
) -> Sequence[RowMapping]:
    """Return the first event that ended an order per card: seq, card, order_id, what, at.

    `after`: seq of the last row of the previous page.
    """
    ended = _ended(since, until, by).subquery()
    first = select(func.min(ended.c.seq).label("seq")).group_by(ended.c.card).subquery()
    query = (
        select(ended.c.seq, ended.c.card, ended.c.order_id, ended.c.what, ended.c.at)
        .join(first, first.c.seq == ended.c.seq)
        .where(ended.c.seq > after)
        .order_by(ended.c.seq)
        .limit(limit)
    )
    return connection.execute(query).mappings().all()


def _ended(since: datetime, until: datetime, by: Person) -> Select[Any]:
    return ends(audit.c.at >= since, audit.c.at < until, *orders_in(by))


def alarms(connection: Connection, is_open: bool | None, limit: int) -> tuple[AlarmShown, ...]:
    """Return alarms, latest first."""
    column = alarms_table.c
    query = select(alarms_table).order_by(column.id.desc()).limit(limit)
    if is_open is not None:
        query = query.where(column.cleared_at.is_(None) if is_open else column.cleared_at.is_not(None))
    return tuple(AlarmShown.of(dict(row)) for row in connection.execute(query).mappings())


def drifts(
    connection: Connection, sight: NumberMasking, limit: int, by: Person, *, is_open: bool = False
) -> tuple[DriftShown, ...]:
    """Return drifts, latest first. `is_open`: only those not repaired."""
    query = select(drifts_table).where(*cards_in(by, drifts_table.c.card))
    if is_open:
        query = query.where(drifts_table.c.repaired_at.is_(None))
    rows = connection.execute(query.order_by(drifts_table.c.id.desc()).limit(limit)).mappings()
    return tuple(DriftShown.of({**row, "card": sight.number(row["card"])}, sight) for row in rows)


def _counts(rows: Iterable[Row[Any]]) -> dict[str, int]:
    return dict(map(tuple, rows))
