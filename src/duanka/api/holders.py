"""A holder's own order, by the link of the notice: why, until when, what to bring, and how to object."""

from __future__ import annotations

from fastapi import APIRouter

from duanka.api import access, asked, shown
from duanka.api.context import Context, Here
from duanka.api.describing import errors
from duanka.domain.order import Order
from duanka.domain.words import Words
from duanka.orders.views import Sight

router = APIRouter(tags=["holder"])

NEVER_ASKED = Words("我们不会索要银行卡号、密码、验证码", "We never ask for card numbers, passwords or codes")


@router.get(
    "/holder/order",
    operation_id="getOwnOrder",
    summary="My order · 我的工单",
    response_model=shown.OwnOrder,
    responses=errors(401),
)
def get_own_order(here: Here, holder: access.IsHolder) -> shown.OwnOrder:
    """Why (为什么), until when (期限), what to bring (所需材料), how to object (异议). Looking uses nothing up."""
    return _own(here, holder.order)


@router.post(
    "/holder/objection",
    operation_id="fileOwnObjection",
    summary="I object · 我有异议",
    response_model=shown.OwnOrder,
    responses=errors(401, 409, 413),
)
def file_own_objection(here: Here, holder: access.IsHolder, asks: asked.OwnObjection) -> shown.OwnOrder:
    """A person looks at it and answers within the working days of the policy. A second objection joins the first."""
    here.desk.book.object(holder.order.card, asks.text.strip(), holder.person, here.now)
    return _own(here, holder.order)


def _own(here: Context, order: Order) -> shown.OwnOrder:
    restriction, objection = here.desk.reading.own(order, here.now)
    policy = here.desk.book.terms.policy
    told = Sight(unmasked=False).order(restriction or order)
    return shown.OwnOrder(
        order_id=order.id,
        phone_number_ending=order.card[-4:],
        state=order.state,
        restriction=restriction.state if restriction else None,
        grounds=shown.GroundsShown.of(told.grounds),
        rules=list(order.rules),
        opened_at=order.opened_at,
        due_at=order.due_at,
        answer_within_hours=policy.stages[0].hours,
        until=restriction.until if restriction else None,
        objection=objection.state if objection else None,
        operator=shown.WordsShown.of(policy.operator),
        counter=shown.WordsShown.of(policy.counter),
        hotline=policy.hotline,
        short_code=policy.short_code,
        never_asked=shown.WordsShown.of(NEVER_ASKED),
    )
