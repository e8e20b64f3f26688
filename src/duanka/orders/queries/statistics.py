"""Statistics of a period; what counts as handled is read from the audit trail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    RowMapping,
    Select,
    and_,
    cast,
    func,
    not_,
    or_,
    select,
    union_all,
)

from duanka.domain.evidence import Evidence
from duanka.domain.order import Event, Kind, Person, State
from duanka.ledger.db.tables import act_cards, acts, audit, orders, refusal_hours, refusals
from duanka.ledger.db.tables import alarms as alarms_table
from duanka.ledger.db.tables import drifts as drifts_table
from duanka.ledger.people.places import cards_in, orders_in, places_in
from duanka.orders.bulk_actions.execution import DONE
from duanka.orders.masking import NumberMasking
from duanka.orders.views import AlarmShown, CountedShown, DriftShown, FiguresShown

# Events after which a card counts as handled (R7.3): verified, stopped, cancelled, released. A punishment is
# a stop; outgoing barred (单停) and the lifeline (保底服务) are only stages and do not count, nor does a withdrawn
# order.
ENDS = (
    f"{Kind.VERIFICATION}.{Event.PASS}",
    *(
        f"{Kind.RESTRICTION}.{event}"
        for event in (
            *(Event.SUSPEND, Event.POLICE_STOP, Event.PUNISH),
            *(Event.CANCEL, Event.RESTORE, Event.POLICE_RELEASE),
        )
    ),
)


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
# What the registrant's own request brings about is no handling of a card.
_AT_OWN_REQUEST = and_(
    orders.c.carried_by.startswith(Evidence.OWN_REQUEST.of(""), autoescape=True),
    audit.c.what.in_([f"{Kind.RESTRICTION}.{event}" for event in (Event.CANCEL, Event.RESTORE)]),
)


def figures(connection: Connection, since: datetime, until: datetime, by: Person) -> FiguresShown:
    """Count what is in `by`'s scope, `since` <= time < `until`; alarms have no scope."""
    ended = _ended(since, until, by).subquery()
    by_end = select(ended.c.what, func.count(ended.c.card.distinct())).group_by(ended.c.what)
    opened = (
        select(orders.c.kind, func.count())
        .where(orders.c.opened_at >= since, orders.c.opened_at < until, *orders_in(by))
        .group_by(orders.c.kind)
    )
    met = _refused(since, until, by)
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
        refused=tuple(CountedShown.of(dict(row)) for row in connection.execute(met).mappings()),
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


def _refused(since: datetime, until: datetime, by: Person) -> Select[Any]:
    """Count refusals: those here by their moment, those in the store of records by the hour in which they were."""
    here = (
        select(refusals.c.carried, refusals.c.reason, func.count().label("count"))
        .where(refusals.c.at >= since, refusals.c.at < until, *cards_in(by, refusals.c.card))
        .group_by(refusals.c.carried, refusals.c.reason)
    )
    hours = refusal_hours.c
    moved = select(hours.carried, hours.reason, hours.count).where(
        hours.hour >= since, hours.hour < until, *places_in(by, hours.operator, hours.city)
    )
    both = union_all(here, moved).subquery()
    return (
        select(both.c.carried, both.c.reason, cast(func.sum(both.c.count), BigInteger).label("count"))
        .group_by(both.c.carried, both.c.reason)
        .order_by(both.c.carried, both.c.reason)
    )


def handled(
    connection: Connection, since: datetime, until: datetime, after: int, limit: int, by: Person
) -> Sequence[RowMapping]:
    """Return the first of `ENDS` per card: seq, card, order_id, what, at.

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
    """Select `ENDS` in the period, but none of undone bulk actions and their undos."""
    undone = (
        select(act_cards.c.order_id, acts.c.undoes, acts.c.id.label("undoing"))
        .join(acts, acts.c.id == act_cards.c.act_id)
        .where(acts.c.undoes.is_not(None), act_cards.c.outcome == DONE)
        .subquery()
    )
    # The reason of an audit entry begins with the id of its bulk action.
    of_it = or_(*(audit.c.why.like(act + " (%") for act in (undone.c.undoes, undone.c.undoing)))
    return (
        select(audit.c.seq, audit.c.at, audit.c.what, orders.c.card, orders.c.id.label("order_id"))
        .join(orders, orders.c.id == audit.c.subject)
        .outerjoin(undone, and_(undone.c.order_id == audit.c.subject, of_it))
        .where(audit.c.what.in_(ENDS), audit.c.at >= since, audit.c.at < until, *orders_in(by))
        .where(undone.c.order_id.is_(None), not_(_AT_OWN_REQUEST))
    )


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
