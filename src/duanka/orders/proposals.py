"""Store bulk actions; submit restrictions without evidence to a second person."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, insert, select, update

from duanka.domain.bulk_action import BulkAction, BulkActionState
from duanka.domain.evidence import ran_out
from duanka.domain.order import SYSTEM, Event, Grounds, Order, Person
from duanka.ledger.audit.row_digests import ACTS, found
from duanka.ledger.db.bulk import among
from duanka.ledger.db.rows import columns_of, new_id
from duanka.ledger.db.tables import act_cards, act_places, acts
from duanka.ledger.unit_of_work.batch_facts import TableFact
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork

_FACTS = (
    *("id", "proposed_by", "proposed_at", "approved_by", "approved_at", "finished_at", "until", "undoes"),
    *("verification", "total", "done", "skipped"),
)


def store_bulk_action(unit: UnitOfWork, act: BulkAction) -> None:
    """Insert a bulk action; the caller inserts its cards."""
    unit.connection.execute(insert(acts).values(_row_of(act)))
    unit.bulk_action_began |= act.state is BulkActionState.RUNNING
    unit.new_bulk_actions.add(act.id)


def _row_of(act: BulkAction) -> dict[str, Any]:
    facts: dict[str, Any] = {name: getattr(act, name) for name in _FACTS}
    return facts | {"event": act.event.value, "state": act.state.value, **columns_of(act.grounds)}


def propose_after(unit: UnitOfWork, order: Order, event: Event, told: Grounds, by: Person, why: str) -> None:
    """Propose the restriction by `event`, for a second person to approve.

    `order`: a verification that ended without evidence for a restriction. The proposer is whoever ended it, or
    whoever opened it if a deadline ended it. `told`: the grounds that the holder reads.
    """
    if _waiting(unit, order):
        return
    name = order.opened_by if by.role is SYSTEM.role and order.opened_by else by.id
    act = BulkAction(
        id=new_id("A"),
        event=event,
        state=BulkActionState.PROPOSED,
        grounds=told,
        proposed_by=name,
        proposed_at=unit.now,
        total=1,
        verification=order.id,
    )
    unit.prepare(acts, _row_of(act))
    unit.prepare(act_cards, {"act_id": act.id, "card": order.card})
    unit.prepare(act_places, {"act_id": act.id, "operator": order.operator, "city": order.city})
    unit.new_bulk_actions.add(act.id)
    unit.proposed_about.add(order.id)
    said: dict[str, object] = {"event": event.value, "state": act.state.value, "cards": 1}
    unit.note(by, "act.propose", act.id, why, {}, {**said, "verification": order.id, "two_people": True})


def settle_proposal(unit: UnitOfWork, order: Order) -> None:
    """Reject pending proposals unless the verification is still expired or failed."""
    if ran_out(order):
        return
    for number in _waiting(unit, order):
        waits = select(acts.c.id).where(acts.c.id == number, acts.c.state == BulkActionState.PROPOSED.value)
        if unit.connection.execute(waits.with_for_update()).scalar() is None:
            continue  # decided meanwhile
        was = {} if number in unit.new_bulk_actions else found(unit.connection, ACTS, number)
        gone = update(acts).where(acts.c.id == number)
        unit.connection.execute(gone.values(state=BulkActionState.REJECTED.value, finished_at=unit.now))
        before: dict[str, object] = {"state": BulkActionState.PROPOSED.value}
        after: dict[str, object] = {"state": BulkActionState.REJECTED.value}
        unit.note(SYSTEM, "act.reject", number, f"{order.id} is {order.state}", before, after, was)


def _read_waiting(connection: Connection, of: Collection[str]) -> dict[str, tuple[str, ...]]:
    waits = (among(connection, acts.c.verification, of), acts.c.state == BulkActionState.PROPOSED.value)
    found: dict[str, tuple[str, ...]] = {}
    for row in connection.execute(select(acts.c.id, acts.c.verification).where(*waits)):
        found[row.verification] = (*found.get(row.verification, ()), row.id)
    return found


_WAITING: TableFact[tuple[str, ...]] = TableFact(acts, _read_waiting, absent=())


def _waiting(unit: UnitOfWork, order: Order) -> tuple[str, ...]:
    """Return the pending proposals about this verification."""
    if order.id in unit.proposed_about:  # prepared in this transaction and not inserted yet
        unit.write_prepared()
        unit.proposed_about.clear()
    return unit.about_orders(_WAITING, order)
