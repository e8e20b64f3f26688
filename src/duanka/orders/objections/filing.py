"""Filing an objection: its channel, the term in which it is answered, and joining an open one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from duanka.domain.authority import Permission, at_counter, authorize
from duanka.domain.objection import OF_THE_HOLDER, Channel, CounterVisit
from duanka.domain.order import (
    Kind,
    NoSuchTransition,
    Order,
    OrderError,
    PermissionDenied,
    Person,
    Role,
    UnknownOrder,
)
from duanka.domain.text import BilingualText
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.daily_limit import note_refused_number, require_tries_left

WARNED_BEFORE = 2  # working days before the end of a term at which the desk is alarmed


def file_objection(
    unit: UnitOfWork, card: str, text: str, by: Person, visit: CounterVisit | None = None
) -> Order | OrderError:
    """File an objection to the card's open order; a second one joins the first.

    `visit`: the holder stands at a counter; where the card is out of the scope of `by`, nothing is shown or filed
    without the order number of its notice, and the UnknownOrder of a wrong one is returned, for its entry in the trail.
    The term begins now: it does not wait until somebody takes the objection up. OrderError: no open order to object
    to; the visit lacks something. TooManyTries.
    """
    channel, scope = _channel(by, visit), by.scope
    authorize(by, Permission.FILE_OBJECTION)
    if visit and not (scope.everywhere or scope.covers(*unit.place(card))):
        if refused := _refused(unit, card, visit.order_id, by):
            return refused
        by = at_counter(by)
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


def _refused(unit: UnitOfWork, card: str, number: str, by: Person) -> OrderError | None:
    """Return why a counter out of whose scope the card is files nothing; None: the holder brought its order number.

    A card without an open order, with another one, and a card of another operator are answered alike.
    """
    if not number:
        raise PermissionDenied(
            f"this card is out of the scope of {by.id} ({by.scope}): at a counter elsewhere give the order number of"
            " the notice that the holder brought, V… or R… (--order, or `orderId` of the visit)"
        )
    unit.lock([card])
    require_tries_left(unit, by, card)
    brought = (unit.open_order(card, kind) for kind in (Kind.RESTRICTION, Kind.VERIFICATION))
    if number in {order.id for order in brought if order}:
        return None
    note_refused_number(unit, by, card, number)
    return UnknownOrder(
        f"phone number and order number {number} lead to no open order: read both from the notice again"
    )


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
