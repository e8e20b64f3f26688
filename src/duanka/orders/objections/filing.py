"""Filing an objection: its channel, the term in which it is answered, and joining an open one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from duanka.domain.authority import Permission, at_counter
from duanka.domain.objection import OF_THE_HOLDER, Channel, CounterVisit
from duanka.domain.order import Kind, NoSuchTransition, Order, OrderError, Person, Role
from duanka.domain.text import BilingualText
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork

WARNED_BEFORE = 2  # working days before the end of a term at which the desk is alarmed


def file_objection(
    unit: UnitOfWork, card: str, text: str, by: Person, visit: CounterVisit | None = None
) -> Order:
    """File an objection to the card's open order; a second one joins the first.

    `visit`: the holder stands at a counter. The term begins now: it does not wait until somebody takes the objection
    up. OrderError: no open order to object to; the visit lacks something.
    """
    channel, scope = _channel(by, visit), by.scope
    by = at_counter(by) if visit else by
    unit.authorize(by, Permission.FILE_OBJECTION, card)
    about = unit.open_order(card, Kind.RESTRICTION) or unit.open_order(card, Kind.VERIFICATION)
    if about is None:
        raise NoSuchTransition(f"there is no open order about {card} to object to")
    if earlier := unit.open_order(card, Kind.OBJECTION):
        filed = unit.change(
            earlier, by, "attach", text, hits=earlier.hits + 1, **_by_the_holder_now(unit, earlier, channel)
        )
    else:
        reason = BilingualText(text.strip() or "机主提出异议", text.strip() or "the holder objects")
        told = replace(about.grounds, reason=reason)
        ends = unit.policy.working_days_after(unit.now, unit.policy.objection_days)
        facts: dict[str, Any] = {"parent": about.id, "tier": about.tier, "due_at": ends}
        filed = unit.open(Kind.OBJECTION, card, told, by, text, channel=channel.value, **facts)
    if visit:
        seen: dict[str, object] = {"counter": visit.counter.strip(), "document": visit.document.value}
        unit.note(by, "counter.objection", filed.id, text, {}, seen)
        # what the holder wrote before is not for a counter elsewhere
        if not scope.covers(filed.operator, filed.city):
            filed = filed.changed(grounds=about.grounds)
    return filed


def _channel(by: Person, visit: CounterVisit | None) -> Channel:
    if visit:
        if by.role is Role.HOLDER:
            raise OrderError("a visit to a counter is recorded by the staff there")
        visit.checked()
        return Channel.COUNTER
    return Channel.LINK if by.role is Role.HOLDER else Channel.DESK


def _by_the_holder_now(unit: UnitOfWork, earlier: Order, channel: Channel) -> dict[str, Any]:
    """Return what changes where the desk had recorded it before: the holder has filed it themselves now.

    The desk keeps its warning: at least the working days of it are left.
    """
    if channel not in OF_THE_HOLDER or earlier.channel in OF_THE_HOLDER:
        return {}
    least = unit.policy.working_days_after(unit.now, WARNED_BEFORE)
    return {"channel": channel.value, "due_at": max(earlier.due_at or least, least)}
