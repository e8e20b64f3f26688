"""Who had a part in a stop: they do not answer an objection to it, and may only give the card back."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlalchemy import select

from duanka.domain.evidence import Evidence, named_order
from duanka.domain.order import (
    STAFF,
    STOP_EVENTS,
    Event,
    Kind,
    NeedsSecondPerson,
    Order,
    Person,
    State,
)
from duanka.domain.order_commands import typed
from duanka.domain.person import same_person
from duanka.ledger.db.tables import acts, audit
from duanka.ledger.db.tables_identity import counter_checks
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork

_O = Kind.OBJECTION
# Steps by which a person stops a card, as the trail has them. A failed verification is one: its stop follows by itself.
_STOPPING = frozenset(
    {
        f"{Kind.VERIFICATION}.{Event.FAIL}",
        *(f"{Kind.RESTRICTION}.{event}" for event in (*STOP_EVENTS, Event.POLICE_STOP)),
    }
)
_BY_AN_ACT = (Evidence.TWO_PEOPLE, Evidence.ONE_PERSON)  # the latter may also name a person


def not_by_who_stopped(unit: UnitOfWork, objection: Order, event: Event, by: Person) -> None:
    """NeedsSecondPerson if `by` had a part in the stop and would answer the objection to it.

    The text of the stop promises somebody else (`stop_text_words`), unless the policy lets one person decide. Whoever
    had a part may uphold the objection, which gives the card back, and add to it.
    """
    if event is Event.UPHOLD or by.role not in STAFF or not unit.policy.two_people:
        return
    stops = _stops(unit, objection)
    if not any(same_person(by.id, name) for stop in stops for name in _of_stop(unit, stop)):
        return
    police = any(stop.state is State.FORCED_STOP for stop in stops)
    theirs = (
        "" if police else f"; to give the card back is open to you: {typed(_O, Event.UPHOLD, objection.id)}"
    )
    raise NeedsSecondPerson(
        f"{by.id} had a part in the stop of {' and '.join(stop.id for stop in stops)}, and cannot {event}"
        f" {objection.id}: the holder was promised an answer of somebody who had none; let somebody else do it:"
        f" {typed(_O, event, objection.id)}{theirs}"
    )


def _stops(unit: UnitOfWork, objection: Order) -> list[Order]:
    """Return the restriction that the objection is about, and the open one of its card."""
    about = unit.order(objection.parent) if objection.parent else None
    found = [one for one in (about, unit.open_order(objection.card, Kind.RESTRICTION)) if one is not None]
    return list({one.id: one for one in found if one.kind is Kind.RESTRICTION}.values())


def _of_stop(unit: UnitOfWork, stop: Order) -> Iterator[str]:
    """Yield who had a part: in the restriction, in the orders that it follows from, and in its bulk actions."""
    rests_on = {number for number in (stop.parent, named_order(stop)) if number}
    involved = [stop, *(unit.order(number) for number in sorted(rests_on))]
    numbers = [one.id for one in involved]
    for one in involved:
        yield from (one.opened_by, *one.helped_by)
    seen = counter_checks.c
    witnesses = select(seen.first_by, seen.second_by).where(seen.order_id.in_(numbers))
    for first, second in unit.connection.execute(witnesses):
        yield from (first, second or "")
    carried = {stop.carried_by}
    steps = select(audit.c.who, audit.c.what, audit.c.after).where(audit.c.subject.in_(numbers))
    for who, what, after in unit.connection.execute(steps.order_by(audit.c.seq)):
        if what in _STOPPING:
            yield who
        carried.add(str(json.loads(after).get("carried_by") or ""))
    yield from _of_acts(unit, carried)


def _of_acts(unit: UnitOfWork, carried: set[str]) -> Iterator[str]:
    """Yield who proposed or approved the bulk actions that these legal bases name, or decided alone."""
    parts = [one.partition(":") for one in sorted(carried)]
    named = [reference for evidence, _, reference in parts if evidence in _BY_AN_ACT]
    yield from named
    query = select(acts.c.proposed_by, acts.c.approved_by).where(acts.c.id.in_(named))
    for proposed, approved in unit.connection.execute(query):
        yield from (proposed, approved or "")
