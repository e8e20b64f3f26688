"""Each measure as a query of facts: one row for each stop, notice, card, ... that is of the period.

Columns: `ref` (order, notice, request or card), `card`, `at`, `counted` (1: what the measure counts, 0: only of how
many), `took` (microseconds, of measures in hours), `operator`, `city`, `platform`. Nothing that came to be after
`as_of` matters, so a run of before can be counted again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Label,
    Select,
    String,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    type_coerce,
)

from duanka.domain.assessment import AssessmentPeriod, Measure
from duanka.domain.linked_accounts import PlatformState
from duanka.domain.order import Event, Kind
from duanka.ledger.db.casework.accounts import account_answers, account_requests
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.casework.victims import victim_messages, victim_outcomes
from duanka.ledger.db.tables import act_cards, acts, audit, notices, orders
from duanka.ledger.figures.events import AT_OWN_REQUEST, CARD_DONE, dissuaded, warned


def _named(kind: Kind, *events: Event) -> tuple[str, ...]:
    return tuple(f"{kind}.{event}" for event in events)


_PASS = _named(Kind.VERIFICATION, Event.PASS)
_ENDS = _named(Kind.VERIFICATION, Event.PASS, Event.FAIL, Event.EXPIRE)
_NOTIFIED = _named(Kind.VERIFICATION, Event.DELIVERED)
_STOPS = _named(Kind.RESTRICTION, Event.SUSPEND, Event.PUNISH, Event.POLICE_STOP)
_BEGINS = (*_STOPS, *_named(Kind.RESTRICTION, Event.BAR_OUTGOING, Event.LIFELINE))
_RELEASES = _named(Kind.RESTRICTION, Event.RESTORE, Event.POLICE_RELEASE)
_GONE = (*_RELEASES, *_named(Kind.RESTRICTION, Event.CANCEL))
# one that nobody decided in its term, so that the card was given back, was not refuted: silence must not pay
_UPHELD = _named(Kind.OBJECTION, Event.UPHOLD, Event.LAPSE)
_REJECTED = _named(Kind.OBJECTION, Event.REJECT)
_UNREACHED = ("undelivered", "given_up")


@dataclass(frozen=True)
class CountedTime:
    """The period that is counted, `since` <= time < `until`, and the moment whose knowledge counts."""

    since: datetime
    until: datetime
    as_of: datetime

    @classmethod
    def of(cls, period: AssessmentPeriod, as_of: datetime) -> CountedTime:
        """The time of a period."""
        return cls(period.since, period.until, as_of)

    def has(self, at: ColumnElement[Any]) -> ColumnElement[bool]:
        """Condition: `at` lies in the period and was known."""
        return and_(at >= self.since, at < self.until, at <= self.as_of)


def facts(measure: Measure, time: CountedTime) -> Select[Any]:
    """The facts of a measure. KeyError: it has none of its own (`Measure.OUTLETS` is counted of CONFIRMED)."""
    return _FACTS[measure](time)


def _first(time: CountedTime, whats: Iterable[str]) -> tuple[Any, ColumnElement[bool]]:
    """The first of these entries of each subject, and the condition that it lies in the period."""
    entry, earlier = audit.alias(), audit.alias()
    names = tuple(whats)
    before = exists().where(
        earlier.c.subject == entry.c.subject, earlier.c.what.in_(names), earlier.c.seq < entry.c.seq
    )
    return entry, and_(entry.c.what.in_(names), time.has(entry.c.at), not_(before))


def _row(
    ref: Any, card: Any, at: Any, counted: Any, operator: Any, city: Any, **more: Any
) -> tuple[Label[Any], ...]:
    columns: Mapping[str, Any] = {
        "ref": ref,
        "card": card,
        "at": at,
        "counted": counted,
        "took": more.get("took", cast(null(), BigInteger)),
        "operator": operator,
        "city": city,
        "platform": more.get("platform", literal("")),
    }
    return tuple(column.label(name) for name, column in columns.items())


def _one_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, 1), else_=0)


def _of_order(entry: Any, counted: Any, **more: Any) -> Select[Any]:
    place = (orders.c.operator, orders.c.city)
    row = _row(orders.c.id, orders.c.card, entry.c.at, counted, *place, **more)
    return select(*row).join_from(entry, orders, orders.c.id == entry.c.subject)


def confirmation_stands(time: CountedTime) -> ColumnElement[bool]:
    """Condition: a confirmation was known, and not taken back."""
    gone = confirmations.c.withdrawn_at
    return and_(confirmations.c.confirmed_at <= time.as_of, or_(gone.is_(None), gone > time.as_of))


def _confirmed(time: CountedTime) -> Select[Any]:
    """Cards whose first confirmation that stands lies in the period."""
    moment = func.min(confirmations.c.confirmed_at)
    standing = (
        select(confirmations.c.card, moment.label("at"))
        .where(confirmation_stands(time))
        .group_by(confirmations.c.card)
    ).subquery()
    latest = orders.alias()  # a confirmation has no place: that of the card's last order with one
    newest = (
        select(func.max(latest.c.opened_at))
        .where(latest.c.card == standing.c.card, latest.c.operator != "", latest.c.opened_at <= time.as_of)
        .scalar_subquery()
    )
    here = and_(orders.c.card == standing.c.card, orders.c.operator != "", orders.c.opened_at == newest)
    operator, city = (func.coalesce(func.min(column), "") for column in (orders.c.operator, orders.c.city))
    row = _row(standing.c.card, standing.c.card, standing.c.at, literal(1), operator, city)
    return (
        select(*row)
        .select_from(standing.outerjoin(orders, here))
        .where(time.has(standing.c.at))
        .group_by(standing.c.card, standing.c.at)
    )


def _in_time(time: CountedTime) -> Select[Any]:
    """Verifications whose first end lies in the period; those that ended by a pass count."""
    entry, which = _first(time, _ENDS)
    return _of_order(entry, _one_if(entry.c.what.in_(_PASS))).where(which)


def _passed(time: CountedTime) -> Select[Any]:
    """Verifications whose holder was first notified in the period; those that passed since count."""
    entry, which = _first(time, _NOTIFIED)
    later = audit.alias()
    passed = exists().where(
        later.c.subject == entry.c.subject, later.c.what.in_(_PASS), later.c.at <= time.as_of
    )
    return _of_order(entry, _one_if(passed)).where(which)


def _wrongful(time: CountedTime) -> Select[Any]:
    """Restrictions that first suspended in the period; those passed, given back on an objection or undone count."""
    entry, which = _first(time, _STOPS)
    undoing = func.coalesce(acts.c.approved_at, acts.c.proposed_at)
    undone = (
        select(act_cards.c.order_id, func.max(undoing).label("at"))
        .join_from(acts, act_cards, act_cards.c.act_id == acts.c.id)
        .where(acts.c.undoes.is_not(None), act_cards.c.outcome == CARD_DONE, undoing <= time.as_of)
        .group_by(act_cards.c.order_id)
        .subquery()
    )
    counted = _one_if(or_(_passed_since(entry, time), _upheld_since(time), undone.c.at >= entry.c.at))
    found = _of_order(entry, counted).outerjoin(undone, undone.c.order_id == orders.c.id)
    return found.where(which)


def _passed_since(entry: Any, time: CountedTime) -> ColumnElement[bool]:
    """Condition: a verification of the stop's card passed while it was stopped."""
    verification, passing, gone = orders.alias(), audit.alias(), audit.alias()
    over = (
        exists()
        .where(
            gone.c.subject == entry.c.subject,
            gone.c.what.in_(_GONE),
            gone.c.seq > entry.c.seq,
            gone.c.at < passing.c.at,
        )
        .correlate_except(gone)  # the stop is two queries further out
    )
    return exists().where(
        verification.c.card == orders.c.card,
        verification.c.kind == Kind.VERIFICATION.value,
        passing.c.subject == verification.c.id,
        passing.c.what.in_(_PASS),
        passing.c.seq > entry.c.seq,
        passing.c.at <= time.as_of,
        not_(over),
    )


def _upheld_since(time: CountedTime) -> ColumnElement[bool]:
    objection, upheld = orders.alias(), audit.alias()
    return exists().where(
        objection.c.parent == orders.c.id,
        upheld.c.subject == objection.c.id,
        upheld.c.what.in_(_UPHELD),
        upheld.c.at <= time.as_of,
    )


def _restored(time: CountedTime) -> Select[Any]:
    """Restrictions lifted in the period, with the time since they began; not what a registrant asked for."""
    entry, which = _first(time, _RELEASES)
    begin = audit.alias()
    began = (
        select(func.min(begin.c.at))
        .where(begin.c.subject == entry.c.subject, begin.c.what.in_(_BEGINS), begin.c.seq < entry.c.seq)
        .scalar_subquery()
    )
    took = type_coerce(entry.c.at, BigInteger) - type_coerce(began, BigInteger)
    return _of_order(entry, literal(1), took=took).where(which, not_(AT_OWN_REQUEST), began.is_not(None))


def _decided(time: CountedTime) -> Select[Any]:
    """Objections that ended in the period; those upheld, or undecided in their term, count."""
    entry, which = _first(time, (*_UPHELD, *_REJECTED))
    return _of_order(entry, _one_if(entry.c.what.in_(_UPHELD))).where(which)


def _undelivered(time: CountedTime) -> Select[Any]:
    """Notices sent or given up in the period; those known not to have reached the holder count."""
    told = or_(notices.c.receipt_at.is_(None), notices.c.receipt_at <= time.as_of)
    counted = _one_if(and_(notices.c.outcome.in_(_UNREACHED), told))
    ref, place = cast(notices.c.id, String), (orders.c.operator, orders.c.city)
    row = _row(ref, notices.c.card, notices.c.done_at, counted, *place)
    return (
        select(*row)
        .join_from(notices, orders, orders.c.id == notices.c.order_id)
        .where(time.has(notices.c.done_at))
    )


def _accounts(time: CountedTime) -> Select[Any]:
    """Requests sent to platforms in the period; those that the platform says it handled count."""
    asked, answer = account_requests.c, account_answers.c
    handled = exists().where(
        answer.request_id == asked.id, answer.state == PlatformState.HANDLED.value, answer.at <= time.as_of
    )
    row = _row(
        *(asked.id, asked.card, asked.sent_at, _one_if(handled), asked.operator, asked.city),
        platform=asked.platform,
    )
    return select(*row).where(time.has(asked.sent_at))


def _warned(time: CountedTime) -> Select[Any]:
    """Persons who were warned in the period, as all figures count it; the first of each."""
    sent = victim_messages.c
    return _persons(sent.victim_id, sent.sent_at, sent.operator, sent.city).where(
        *warned(sent.kind, sent.outcome), time.has(sent.sent_at)
    )


def _dissuaded(time: CountedTime) -> Select[Any]:
    """Persons whom a call in the period kept from paying."""
    told = dissuaded(time.has(victim_outcomes.c.at)).subquery().c
    return _persons(told.key, told.at, told.operator, told.city)


def _persons(victim: Any, at: Any, operator: Any, city: Any) -> Select[Any]:
    row = _row(victim, literal(""), func.min(at), literal(1), func.min(operator), func.min(city))
    return select(*row).group_by(victim)


_FACTS = {
    Measure.CONFIRMED: _confirmed,
    Measure.IN_TIME: _in_time,
    Measure.PASSED: _passed,
    Measure.WRONGFUL: _wrongful,
    Measure.RESTORE_P50: _restored,
    Measure.RESTORE_P95: _restored,
    Measure.UPHELD: _decided,
    Measure.UNDELIVERED: _undelivered,
    Measure.ACCOUNTS: _accounts,
    Measure.WARNED: _warned,
    Measure.DISSUADED: _dissuaded,
}
