"""Orders and objections: search, details, changes of state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Query

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Context, Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.schemas import requests as asked
from duanka.api.schemas import responses as shown
from duanka.api.schemas.objections import ObjectionAsked
from duanka.domain.authority import Permission, move_permission
from duanka.domain.bulk_action import card_of
from duanka.domain.order import Event, Kind, Order, Person, events_of, states_before
from duanka.orders.masking import IN_FULL, MASKED, NumberMasking
from duanka.orders.queries.listing import Filter
from duanka.orders.queries.service import ViewerContext
from duanka.orders.views import OrderFile

router = Endpoints("orders")


@router.endpoint("GET /orders", "List orders · 工单列表", Permission.LIST_ORDERS, fails=(404,))
def list_orders(here: Here, by: access.Caller, query: Annotated[asked.OrderQuery, Query()]) -> shown.Orders:
    """Numbers masked (掩码).

    `sort`: opened or updated, latest first; due, earliest first; weight, heaviest first.

    To search by number, which must not be in a URL, see searches.
    """
    return _found(here, query, query.filter(), ViewerContext(by))


@router.endpoint(
    "POST /order-searches",
    "Search orders, also by number · 工单查询",
    Permission.LIST_ORDERS,
    fails=(404, 409),
)
def search_orders(here: Here, by: access.Caller, search: asked.Search) -> shown.Orders:
    """Like the list. `unmask` asks for full numbers and is kept in the audit trail.

    A regulator may neither search by number nor see full numbers (403).
    """
    card = card_of(search.phone_number) if search.phone_number else None
    return _found(here, search, search.filter(card), reader(by, search.unmask))


@router.endpoint("GET /orders/{orderId}", "One order with its trail · 工单详情", Permission.READ_ORDER)
def get_order(here: Here, by: access.Caller, number: asked.AnyOrder) -> shown.OrderFileShown:
    """With audit trail, messages to the network and to the holder; numbers masked."""
    return _file(here, by, here.desk.reading.order(number, ViewerContext(by), here.now), MASKED)


@router.endpoint(
    "POST /orders/{orderId}/unmask",
    "One order with numbers in full · 查看完整号码",
    Permission.READ_ORDER,
    Permission.UNMASK,
)
def unmask_order(
    here: Here, by: access.Caller, number: asked.AnyOrder, asks: asked.Unmask
) -> shown.OrderFileShown:
    """Like `getOrder`, with full numbers; the audit trail keeps who asked, and why."""
    return _file(here, by, here.desk.reading.order(number, reader(by, asks), here.now), IN_FULL)


@router.endpoint(
    "POST /orders/{orderId}/extend",
    "More time, once, for a holder in hardship · 延期",
    Permission.VERIFICATION_EXTEND,
    fails=(409,),
)
def extend_order(
    here: Here, by: access.Caller, number: asked.MovedOrder, asks: asked.Extension
) -> shown.OrderShown:
    """Again for the same hardship gives the state."""
    return masked(here.desk.orders.extend(number, asks.hardship, by, asks.why.strip(), here.now))


def _moving(event: Event, which: object) -> Callable[..., shown.OrderShown]:
    """Return the endpoint that moves an order by `event`; `which`: the path parameter."""

    def move(here: Here, by: access.Caller, number: str, because: asked.Because) -> shown.OrderShown:
        return masked(here.desk.orders.apply_once(number, event, by, because.why, here.now)[0])

    move.__annotations__["number"] = which
    move.__doc__ = _WHAT[event][1] + " Again gives the state."
    return move


_WHAT: dict[Event, tuple[str, str]] = {
    Event.BEGIN: ("The holder came · 开始核验", "The holder has begun to prove who they are."),
    Event.SUBMIT: ("Wait for review · 提交审核", "The verification is with us: no hours run."),
    Event.PASS: (
        "Passed · 核验通过",
        "They are who they are: what restricts the card for it is lifted at once.",
    ),
    Event.FAIL: (
        "Not passed · 核验未通过",
        "They could not prove it: the card is restricted as the policy says.",
    ),
    Event.TO_COUNTER: ("To a counter · 转营业厅", "They have to come in person."),
    Event.TO_FRAUD_CENTRE: (
        "To the fraud centre · 转反诈中心",
        "The police look at it. A verification: by a supervisor or the police; an objection: about their stop.",
    ),
    Event.WITHDRAW: ("Withdraw · 撤销", "It was asked in error: what followed from it is lifted."),
    Event.RESTORE: ("Restore · 复通", "The restriction is lifted in every part of the network."),
    Event.EASE: (
        "Ease · 改为单停",
        "The card can be called again, and calls emergency numbers, 12345 and the operator's line alone.",
    ),
    Event.EASE_TO_LIFELINE: (
        "Ease to the lifeline · 双停改保底服务",
        "The card calls emergency numbers, 12345 and the operator's line; the policy's lines and accounts reach it."
        " Refused for a card that the police confirmed, and for code_receiver, sim_box and in_ring.",
    ),
    Event.ACCEPT: ("Accept · 受理", "The holder is told by when they have an answer."),
    Event.UPHOLD: ("Uphold · 异议成立", "The holder was right: restored at once, and asked nothing more."),
    Event.REJECT: ("Reject · 异议不成立", "The measure stays; the holder is told how to go on."),
}
_MOVES = (
    *(Event.BEGIN, Event.SUBMIT, Event.PASS, Event.FAIL, Event.TO_COUNTER, Event.TO_FRAUD_CENTRE),
    *(Event.WITHDRAW, Event.RESTORE, Event.EASE, Event.EASE_TO_LIFELINE),
)
_JUDGEMENTS = (Event.ACCEPT, Event.TO_FRAUD_CENTRE, Event.UPHOLD, Event.REJECT, Event.WITHDRAW)


def _permissions(path: str, event: Event) -> list[Permission]:
    """Return the permissions that `event` needs for the kinds of order under `path`."""
    kinds = (Kind.OBJECTION,) if path == "objections" else (Kind.VERIFICATION, Kind.RESTRICTION)
    return [move_permission(kind, event) for kind in kinds if states_before(kind, event)]


for _path, _events, _which in (
    ("orders", _MOVES, asked.MovedOrder),
    ("objections", _JUDGEMENTS, asked.TheObjection),
):
    for _event in _events:
        _name = _event.replace("_", "-")
        router.endpoint(
            f"POST /{_path}/{{orderId}}/{_name}", _WHAT[_event][0], *_permissions(_path, _event),
            fails=(409, 422), tags=[_path], operation_id=f"{_path}-{_name}",
        )(_moving(_event, _which))  # fmt: skip


@router.endpoint(
    "POST /objections",
    "File an objection for a holder · 代为登记异议",
    Permission.FILE_OBJECTION,
    fails=(404, 409),
    tags=["objections"],
)
def file_objection(here: Here, by: access.Caller, asks: ObjectionAsked) -> shown.OrderShown:
    """Against the card's open restriction or verification; joins an open objection.

    `visit`: the holder stands at a counter, whose city need not be the card's: then with the order number of the
    notice, and too many wrong ones are 429. Where the policy says so, the card is given back if nobody decides the
    first objection in its term; one that a caller had recorded does not count.
    """
    visit = asks.visit.seen() if asks.visit else None
    order = here.desk.orders.object(card_of(asks.phone_number), asks.text.strip(), by, here.now, visit)
    return masked(order)


def reader(by: Person, asks: asked.Unmask | None, case: str = "") -> ViewerContext:
    """Return the viewer's context: the person, and why they need full numbers, if so."""
    return ViewerContext(by, unmasked=asks is not None, why=asks.why if asks else "", case=case)


def masked(order: Order) -> shown.OrderShown:
    """Return an order as a response, masked."""
    return shown.OrderShown.of(MASKED.order(order))


def _file(here: Context, by: Person, file: OrderFile, sight: NumberMasking) -> shown.OrderFileShown:
    order = file.order
    asked_for = _JUDGEMENTS if order.kind is Kind.OBJECTION else _MOVES
    may = events_of(order.kind, order.state, by.role)
    acts = [event for event in asked_for if event in may]
    standing = here.desk.counter.standing(order.id, by)
    return shown.OrderFileShown.of({**vars(file), "acts": acts, "counter": standing}, sight)


def _found(here: Context, asks: asked.OrderQuery, which: Filter, who: ViewerContext) -> shown.Orders:
    reading = here.desk.reading
    page = reading.orders(which, who, here.now, asks.after or "", asks.limit, sort=asks.sort)
    counted = reading.order_counts(which, who, here.now) if asks.counts else None
    return shown.Orders.of({**vars(page), "counts": counted}, NumberMasking(who.unmasked))
