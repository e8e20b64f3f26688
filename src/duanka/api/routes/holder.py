"""A holder's own order, opened by the link in the notice; objection, new link."""

from __future__ import annotations

import secrets

from fastapi import Request, Response

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Context, Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.schemas.holder_responses import (
    DeadlineShown,
    LinkSent,
    NotMineShown,
    OnlineShown,
    OwnOrder,
    policy_text,
)
from duanka.api.schemas.holder_texts import (
    NEVER_ASKED,
    deadline,
    not_online,
    otherwise,
    restricted,
    words_digest,
)
from duanka.api.schemas.objections import OwnObjection
from duanka.domain.holder_grounds import grounds_for_holder
from duanka.domain.identity import CheckRefused, SessionStage, VerificationProgress
from duanka.domain.order import Kind, Order
from duanka.domain.text import BilingualText
from duanka.orders import views
from duanka.orders.dispatch import link_requests
from duanka.orders.masking import MASKED
from duanka.orders.verification.links import LinkState, OtherBrowser

router = Endpoints("holder")


@router.endpoint("GET /holder/order", "My order · 我的工单")
def get_own_order(request: Request, here: Here, holder: access.IsHolder, response: Response) -> OwnOrder:
    """Why (为什么), until when (期限), which ways (办理方式), how to object (异议).

    Viewing does not use the link up. A browser without our cookie gets one with a secret; by it, consent
    binds the link to the browser.
    """
    if not access.browser_secret(request):
        access.remember_browser(request, here, response, secrets.token_urlsafe(32))
    return _own(here, holder)


@router.endpoint("POST /holder/objection", "I object · 我有异议", fails=(409,))
def file_own_objection(here: Here, holder: access.IsHolder, asks: OwnObjection) -> OwnOrder:
    """A person answers within the working days that the policy sets.

    A second objection joins the first.
    """
    if holder.link is LinkState.ELSEWHERE:
        raise OtherBrowser
    here.desk.orders.object(holder.order.card, asks.text.strip(), holder.person, here.now)
    return _own(here, holder)


@router.endpoint("POST /holder/not-mine", "This number is not mine · 这个号码不是我办的", fails=(409,))
def say_not_mine(here: Here, holder: access.IsHolder) -> OwnOrder:
    """Nothing is stopped for it: whoever has the phone can say so.

    The person in whose name the number is registered confirms it with their face (`beginSession` with `notMine`), or at
    a counter with their document. Only then is the card stopped, at their own request. Again joins the first.
    """
    if holder.link is LinkState.ELSEWHERE:
        raise OtherBrowser
    here.desk.disavowals.say(holder.order, holder.person, here.now)
    return _own(here, holder)


@router.endpoint("POST /holder/not-mine/withdraw", "It is mine after all · 撤回", fails=(409,))
def withdraw_not_mine(here: Here, holder: access.IsHolder) -> OwnOrder:
    """As long as nobody confirmed it; after that, in person at a counter."""
    if holder.link is LinkState.ELSEWHERE:
        raise OtherBrowser
    here.desk.disavowals.unsay(holder.order, holder.person, here.now)
    return _own(here, holder)


@router.endpoint("POST /holder/link", "Send me a new link · 重新发送链接", fails=(409,), status_code=202)
def request_link(here: Here, token: access.LinkOfOurs) -> LinkSent:
    """For a link that is expired or bound to another browser.

    A message with a new link goes to the number itself: at most one in two minutes and five a day; else 429.
    """
    ending = here.desk.orders.transaction(
        lambda unit: link_requests.request_link(unit, here.desk.links, token), here.now
    )
    return LinkSent(phone_number_ending=ending)


def _own(here: Context, holder: access.Holder) -> OwnOrder:
    order = holder.order
    restriction, objection = here.desk.reading.own(order, here.now)
    policy = here.desk.orders.terms.policy
    about = restriction or order
    told = grounds_for_holder(about, policy)
    reason = MASKED.seen(told.reason)
    asked_for = here.desk.reading.verification_of(order)
    return OwnOrder(
        order_id=order.id,
        link=holder.link,
        phone_number_ending=order.card[-4:],
        state=(asked_for or order).state,
        restriction=restriction.state if restriction else None,
        restricted=_shown(restricted(restriction)),
        grounds=views.GroundsShown(
            reason=views.WordsShown.of(reason),
            redress=policy_text(told.redress),
            papers=policy_text(told.papers),
        ),
        stop_text=here.desk.reading.own_stop_text(restriction, here.now) if restriction else None,
        rules=list((asked_for or order).rules),
        opened_at=order.opened_at,
        due_at=(asked_for or order).due_at,
        deadline=DeadlineShown.found(deadline(asked_for or order, restriction, policy)),
        otherwise=policy_text(otherwise(asked_for or order, restriction, policy)),
        answer_within_hours=policy.stages[0].hours,
        until=restriction.until if restriction else None,
        online=_online(here, asked_for),
        not_mine=_not_mine(here, order),
        objection=objection.state if objection else None,
        objection_id=objection.id if objection else None,
        objection_open=bool(objection and objection.closed_at is None),
        objection_days=policy.objection_days,
        operator=policy_text(policy.operator),
        counter=policy_text(policy.counter),
        hotline=policy.hotline,
        short_code=policy.short_code,
        never_asked=policy_text(NEVER_ASKED),
        now=here.now,
    )


def _not_mine(here: Context, order: Order) -> NotMineShown:
    policy, said = here.desk.orders.terms.policy, here.desk.reading.last(order.card, Kind.DISAVOWAL)
    is_open = said if said and said.closed_at is None else None
    supplier = here.verification.supplier if here.verification else ""
    return NotMineShown(
        said=is_open.state if is_open else None,
        order_id=is_open.id if is_open else None,
        statement=policy_text(policy.disowned_statement),
        words_digest=words_digest(policy.identity, supplier, policy.disowned_statement),
        days=policy.disowned_days,
    )


def _online(here: Context, order: Order | None) -> OnlineShown:
    way, policy = here.verification, here.desk.orders.terms.policy.identity
    found: VerificationProgress | None = None
    if way and order:
        try:
            found = way.standing(order.id, here.now)
        except CheckRefused as refused:
            found = VerificationProgress(SessionStage.COUNTER, order.state, 0, (refused.reason,))
    why = not_online(found)
    return OnlineShown(
        open=why is None,
        why=_shown(why),
        stage=found.stage if found else None,
        left=found.left if found else 0,
        supplier=way.supplier if way else None,
        face_consent=policy_text(policy.face_consent),
        legal_notice=policy_text(policy.legal_notice),
        words_digest=words_digest(policy, way.supplier if way else ""),
    )


def _shown(words: BilingualText | None) -> views.WordsShown | None:
    return policy_text(words) if words else None
