"""Execute bulk actions in batches; each commits its changes and its progress."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, bindparam, func, select, update

from duanka.domain.bulk_action import BulkActionState
from duanka.domain.evidence import Evidence, ran_out
from duanka.domain.order import (
    STOP_EVENTS,
    SYSTEM,
    Event,
    Grounds,
    Kind,
    NeedsSecondPerson,
    NoSuchTransition,
    Order,
    OrderError,
    State,
)
from duanka.domain.order_commands import only_the_police, typed
from duanka.domain.text import BilingualText, WordedEnum
from duanka.ledger.audit.row_digests import ACTS, found
from duanka.ledger.db.rows import grounds_of
from duanka.ledger.db.tables import act_cards, acts
from duanka.ledger.unit_of_work.four_eyes import needs_two_people
from duanka.ledger.unit_of_work.restrictions import ONE_PERSON, TWO_PEOPLE
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork, cancelled
from duanka.orders.deadlines import stage_due, stage_of
from duanka.orders.effects import apply_event, stop_for

AT_ONCE = 500  # cards executed before the request returns, if the bulk action lifts restrictions


class CardOutcome(WordedEnum):
    """Outcome of one card of a bulk action."""

    DONE = "done", "已处置"
    SKIPPED = "skipped", "已跳过"


DONE, SKIPPED = CardOutcome.DONE.value, CardOutcome.SKIPPED.value
# States reached by notices and deadlines alone.
_NOT_MOVED = (State.OPENED, State.UNDELIVERABLE, State.NOTIFIED, State.EXPIRED)
_GIVES_BACK = {Kind.VERIFICATION: Event.WITHDRAW, Kind.RESTRICTION: Event.RESTORE}
TARGETS = {
    Event.BAR_OUTGOING: State.OUTGOING_BARRED,
    Event.LIFELINE: State.LIFELINE,
    Event.SUSPEND: State.SUSPENDED,
    Event.PUNISH: State.PUNISHED,
    Event.EASE: State.OUTGOING_BARRED,
}
# (state before a bulk stop, state after it) -> what leads back
_BACK = {
    (State.OUTGOING_BARRED, State.LIFELINE): Event.EASE,
    (State.OUTGOING_BARRED, State.SUSPENDED): Event.EASE,
    (State.LIFELINE, State.SUSPENDED): Event.EASE_TO_LIFELINE,
}


def carry(unit: UnitOfWork, running: Sequence[RowMapping], limit: int) -> int:
    """Execute up to `limit` cards of locked rows of `acts`; return how many."""
    chosen = _shares(unit, running, limit)
    unit.lock([row["card"] for _, rows in chosen for row in rows])
    gone = set(cancelled(unit.connection, (row["card"] for _, rows in chosen for row in rows)))
    results = []
    for act, rows in chosen:
        mine = [_one(unit, act, row, gone) for row in rows]
        results += mine
        _progress(unit, act, Counter(str(result["result"]) for result in mine))
    if results:
        names = ("order_id", "before", "after", "was", "why")
        statement = (
            update(act_cards)
            .where(act_cards.c.act_id == bindparam("of"), act_cards.c.card == bindparam("number"))
            .values({**{name: bindparam(name) for name in names}, "outcome": bindparam("result")})
        )
        unit.connection.execute(statement, results)
    return len(results)


def skip_one(unit: UnitOfWork, act_id: str, why: str) -> int:
    """Skip the first pending card without reading its orders; return how many (0 or 1)."""
    act = unit.connection.execute(select(acts).where(acts.c.id == act_id).with_for_update()).mappings().one()
    waits = (act_cards.c.act_id == act_id, act_cards.c.outcome.is_(None))
    card = unit.connection.execute(select(func.min(act_cards.c.card)).where(*waits)).scalar()
    if card is None:
        return 0
    this = (act_cards.c.act_id == act_id, act_cards.c.card == card)
    unit.connection.execute(update(act_cards).where(*this).values(outcome=SKIPPED, why=why))
    _progress(unit, act, Counter({SKIPPED: 1}))
    return 1


def _shares(
    unit: UnitOfWork, running: Sequence[RowMapping], limit: int
) -> list[tuple[RowMapping, Sequence[RowMapping]]]:
    """Divide `limit` equally; what one bulk action does not use goes to the others."""
    chosen = []
    smallest_first = sorted(running, key=lambda act: act["total"] - act["done"] - act["skipped"])
    for at, act in enumerate(smallest_first):
        share = -(-limit // (len(smallest_first) - at))
        origin = act_cards.alias()
        query = (
            select(
                act_cards.c.card,
                act_cards.c.order_id.label("meant"),
                origin.c.order_id,
                origin.c.before,
                origin.c.after,
                origin.c.was,
            )
            .outerjoin(
                origin, (origin.c.act_id == (act["undoes"] or "")) & (origin.c.card == act_cards.c.card)
            )
            .where(act_cards.c.act_id == act["id"], act_cards.c.outcome.is_(None))
            .order_by(act_cards.c.card)
            .limit(share)
        )
        rows = unit.connection.execute(query).mappings().all()
        chosen.append((act, rows))
        limit -= len(rows)
    return chosen


def _progress(unit: UnitOfWork, act: RowMapping, counts: Counter[str]) -> None:
    done, skipped = act["done"] + counts[DONE], act["skipped"] + counts[SKIPPED]
    values: dict[str, object] = {"done": done, "skipped": skipped}
    if done + skipped == act["total"]:
        values |= {"state": BulkActionState.DONE.value, "finished_at": unit.now}
        told: dict[str, object] = {"state": BulkActionState.DONE.value, "done": done, "skipped": skipped}
        was = {} if act["id"] in unit.new_bulk_actions else found(unit.connection, ACTS, act["id"])
        why = "every card had its turn"
        unit.note(SYSTEM, "act.finish", act["id"], why, {"state": act["state"]}, told, was)
    unit.connection.execute(update(acts).where(acts.c.id == act["id"]).values(values))


def _one(unit: UnitOfWork, act: RowMapping, row: RowMapping, gone: set[str]) -> dict[str, object]:
    card, event = row["card"], Event(act["event"])
    found: dict[str, object] = {"of": act["id"], "number": card, "result": DONE, "why": None}
    blank = dict.fromkeys(("order_id", "before", "after", "was"))
    before: Order | None
    try:
        with unit.attempt(card):
            if card in gone:
                raise NoSuchTransition("cancelled for good")
            if event is Event.WITHDRAW:
                before, after = _withdraw(unit, act, card, row["meant"])
            elif act["undoes"]:
                before, after = _put_back(unit, act, row)
            else:
                before, after = _restrict(unit, act, card, event)
    except OrderError as error:
        return {**found, **blank, "result": SKIPPED, "why": str(error)}
    if after.state is State.CANCELLED:
        gone.add(card)
    was = _remembered(before) if before else None
    state = before.state if before else State.ACTIVE
    return {**found, "order_id": after.id, "before": state.value, "after": after.state.value, "was": was}


def _restrict(unit: UnitOfWork, act: RowMapping, card: str, event: Event) -> tuple[Order | None, Order]:
    before = unit.open_order(card, Kind.RESTRICTION)
    why = _why(act)
    if event not in STOP_EVENTS:
        if before is None:
            raise NoSuchTransition("it is not stopped")
        _no_police_matter(before)
        _by_enough(unit, act, before)
        return before, apply_event(unit, before, event, SYSTEM, why)
    facts: dict[str, Any] = {"carried_by": carried_by(act), "grounds": grounds_of(act), "decision": ""}
    if act["verification"]:
        verification = unit.order(act["verification"])
        if not ran_out(verification):
            raise NoSuchTransition(f"{verification.id} is {verification.state} by now")
        facts |= {"parent": verification.id, "tier": verification.tier, "rules": verification.rules}
        facts["decision"] = verification.decision
    if act["until"]:
        facts["until"] = act["until"]
    if before is None:
        if event is Event.CANCEL:
            raise NoSuchTransition("it is not stopped: only a card that is stopped is cancelled")
        opened = unit.open(Kind.RESTRICTION, card, facts["grounds"], SYSTEM, why)
        return None, apply_event(unit, opened, event, SYSTEM, why, **facts)
    if before.state is TARGETS.get(event):
        raise NoSuchTransition(f"it is {before.state} already, by {before.id}")
    _no_police_matter(before, event)
    return before, apply_event(unit, before, event, SYSTEM, why, **facts)


def _by_enough(unit: UnitOfWork, act: RowMapping, order: Order) -> None:
    """Raise NeedsSecondPerson if nobody approved the bulk action and the tier now takes two people."""
    withdrawn = (order,) if order.kind is Kind.VERIFICATION else ()
    if act["approved_by"] is None and needs_two_people(unit, order.card, *withdrawn):
        raise NeedsSecondPerson(
            f"its tier takes two people: {typed(order.kind, _GIVES_BACK[order.kind], order.id)} proposes it anew"
        )


def _no_police_matter(order: Order, event: Event = Event.RESTORE) -> None:
    if order.state is State.FORCED_STOP and event is not Event.CANCEL:
        raise NoSuchTransition(f"it is stopped by police notice; {only_the_police(order.id)}")


def _withdraw(unit: UnitOfWork, act: RowMapping, card: str, meant: str | None) -> tuple[Order, Order]:
    """Withdraw the card's verification; where `meant` names an order, only that one."""
    before = unit.open_order(card, Kind.VERIFICATION)
    if before is None or (meant and before.id != meant):
        raise NoSuchTransition(f"{meant} is over" if meant else "nothing is asked of its holder")
    if act["undoes"] and (why := moved_on(before)):
        raise NoSuchTransition(why)
    _by_enough(unit, act, before)
    return before, apply_event(unit, before, Event.WITHDRAW, SYSTEM, _why(act))


def moved_on(order: Order) -> str:
    """Return why undoing a take keeps an order, or "" if it withdraws the order.

    An order that a person has acted on since is kept.
    """
    return "" if order.state in _NOT_MOVED else f"{order.id} is {order.state}: somebody has moved it on"


def _put_back(unit: UnitOfWork, act: RowMapping, row: RowMapping) -> tuple[Order, Order]:
    """Return the card to its state before the bulk action that this one undoes."""
    order = unit.open_order(row["card"], Kind.RESTRICTION)
    theirs = order and order.id == row["order_id"] and order.carried_by in _legal_basis_of(act["undoes"])
    if order is None or not theirs or order.state != row["after"]:
        now_is = f"{order.state} by {order.id}" if order else "not restricted"
        raise NoSuchTransition(f"it was changed since: it is {now_is}")
    _by_enough(unit, act, order)
    if row["before"] == State.ACTIVE:
        verification = unit.open_order(row["card"], Kind.VERIFICATION)
        if verification and verification.evidence and ran_out(verification):
            return order, _stays_for(unit, order, verification, act)
        return order, apply_event(unit, order, Event.RESTORE, SYSTEM, _why(act))
    if back := _BACK.get((State(row["before"]), order.state)):
        return order, apply_event(unit, order, back, SYSTEM, _why(act), **_recalled(row["was"]))
    raise NoSuchTransition(
        f"it was {row['before']} before, and no transition leads back there: decide by hand"
    )


def _stays_for(unit: UnitOfWork, order: Order, verification: Order, act: RowMapping) -> Order:
    """Keep the card restricted, with its expired verification as the legal basis.

    The expired verification restricts the card even without the bulk action.
    """
    if order.state is State.PUNISHED:
        # A punishment would end at its date and would not be lifted when the holder passes: replace it by the
        # verification's restriction.
        restored = unit.move(order, Event.RESTORE, SYSTEM, _why(act))
        return stop_for(unit, verification, _why(act)) or restored
    facts: dict[str, Any] = {
        "carried_by": Evidence(verification.evidence).of(verification.id),
        "parent": verification.id,
        "grounds": verification.grounds,
        "decision": verification.decision,
    }
    first = stage_of(unit, order.card, unit.policy.stages[0].state)
    if back := _BACK.get((State(first), order.state)):
        due = stage_due(unit, verification, first)
        return apply_event(unit, order, back, SYSTEM, _why(act), **facts, due_at=due)
    return unit.change(order, SYSTEM, "carried", f"{_why(act)}; {verification.id} ran out meanwhile", **facts)


def carried_by(act: RowMapping) -> str:
    """Return the legal basis of a bulk action's restrictions: two people, or one where allowed."""
    return (TWO_PEOPLE if act["approved_by"] else ONE_PERSON) + str(act["id"])


def _legal_basis_of(act_id: str) -> tuple[str, str]:
    return TWO_PEOPLE + act_id, ONE_PERSON + act_id


def _why(act: RowMapping) -> str:
    people = " + ".join(name for name in (act["proposed_by"], act["approved_by"]) if name)
    return f"{act['id']} ({people}): {act['reason_en']}"


def _remembered(order: Order) -> str:
    """Return as JSON the fields that a bulk stop overwrites, for its undo."""
    grounds = [list(words) for words in (order.grounds.reason, order.grounds.redress, order.grounds.papers)]
    moments = {name: at.isoformat() if (at := getattr(order, name)) else None for name in ("due_at", "until")}
    kept = {"carried_by": order.carried_by, "decision": order.decision, "grounds": grounds}
    return json.dumps({**kept, **moments}, ensure_ascii=False)


def _recalled(was: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(was)
    moments = {
        name: datetime.fromisoformat(facts[name]) if facts[name] else None for name in ("due_at", "until")
    }
    grounds = Grounds(*(BilingualText(*words) for words in facts["grounds"]))
    return {"carried_by": facts["carried_by"], "decision": facts["decision"], "grounds": grounds, **moments}
