"""Linked accounts: what platforms are asked and answer; items for take-down."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Query, Request
from fastapi.concurrency import run_in_threadpool

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.http.openapi import BYTES_BODY
from duanka.api.schemas.casework import accounts as shown
from duanka.api.schemas.casework.accounts import TheItem, TheRequest
from duanka.api.schemas.errors import too_many, unauthenticated
from duanka.api.schemas.lookup_requests import LookupBasis
from duanka.api.schemas.requests import After, Because, Moment
from duanka.casework.accounts.queries import AccountFilter
from duanka.casework.accounts.takedown import ItemFilter
from duanka.domain.authority import Permission
from duanka.domain.linked_accounts import RequestState
from duanka.domain.takedown import IndicatorKind, ItemState
from duanka.orders.masking import IN_FULL

router = Endpoints("accounts")
_Limit = Annotated[int, Query(ge=1, le=1_000, description="Rows of a page.")]
_Platform = Annotated[str | None, Query(max_length=64, description="Only of this platform.")]
_Signature = Annotated[
    str,
    Header(alias="Duanka-Signature", max_length=120, description="Ed25519 signature of the body, base64."),
]


@router.endpoint(
    "POST /account-requests",
    "Ask platforms about the accounts of a card · 关联账号处置",
    Permission.REQUEST_ACCOUNTS,
    fails=(404, 409),
    status_code=201,
)
def request_accounts(here: Here, by: access.Caller, asks: shown.AccountsAsked) -> shown.AccountsAskedShown:
    """Of a card that is 涉案, or whose verification failed before machine and reviewer or before two people.

    409: no ground stands, such as for a card that is only 高风险. Closing waits for a second person. It is a lookup:
    the audit trail has who and why.
    """
    made = here.desk.casework.accounts.linked.request(asks.asks(), asks.context(by), here.now)
    return shown.AccountsAskedShown(items=list(made))


@router.endpoint(
    "GET /account-requests", "Requests about accounts · 账号处置列表", Permission.LIST_ACCOUNTS, fails=(404,)
)
def list_account_requests(
    here: Here,
    by: access.Caller,
    state: Annotated[list[RequestState] | None, Query(description="Only in these states.")] = None,
    platform: _Platform = None,
    overdue: Annotated[bool, Query(description="Only without an answer in time.")] = False,
    after: After = None,
    limit: _Limit = 50,
) -> shown.AccountRequestsShown:
    """The latest first; cards and accounts are masked."""
    which = AccountFilter(tuple(state or ()), platform, overdue)
    page = here.desk.casework.accounts.queries.page(which, by, here.now, after, limit)
    return shown.AccountRequestsShown.told(page)


@router.endpoint("GET /account-figures", "Linked accounts handled · 账号处置统计", Permission.READ_FIGURES)
def read_account_figures(
    here: Here,
    by: access.Caller,
    since: Annotated[Moment, Query(description="From this time on.")],
    until: Annotated[Moment, Query(description="Until before this time.")],
) -> shown.AccountFiguresShown:
    """By operator, city, platform and kind, of requests made in the period."""
    found = here.desk.casework.accounts.queries.figures(since, until, by, here.now)
    return shown.AccountFiguresShown(items=[shown.AccountFigureShown.of(vars(one), IN_FULL) for one in found])


@router.endpoint(
    "POST /account-requests/{requestId}/retrieve",
    "One request with its answers · 查看账号处置",
    Permission.READ_ACCOUNT,
    fails=(404, 409),
)
def retrieve_account_request(
    here: Here, by: access.Caller, number: TheRequest, asks: LookupBasis
) -> shown.AccountFileShown:
    """It is a lookup: the audit trail has who and why before anything is shown."""
    found = here.desk.casework.accounts.queries.file(number, asks.context(by), here.now)
    return shown.AccountFileShown.told(found)


@router.endpoint(
    "POST /account-requests/{requestId}/approve",
    "Approve that an account is closed · 复核关停账号",
    Permission.APPROVE_ACCOUNT,
    fails=(404, 409),
)
def approve_account_request(
    here: Here, by: access.Caller, number: TheRequest, because: Because
) -> shown.AccountStateShown:
    """As somebody else than who asked for it."""
    here.desk.casework.accounts.linked.approve(number, by, because.why, here.now)
    return shown.AccountStateShown(id=number, state=RequestState.WAITING)


@router.endpoint(
    "POST /account-requests/{requestId}/reject",
    "Reject that an account is closed · 否决关停账号",
    Permission.APPROVE_ACCOUNT,
    fails=(404, 409),
)
def reject_account_request(
    here: Here, by: access.Caller, number: TheRequest, because: Because
) -> shown.AccountStateShown:
    """As somebody else than who asked for it."""
    here.desk.casework.accounts.linked.reject(number, by, because.why, here.now)
    return shown.AccountStateShown(id=number, state=RequestState.REJECTED)


@router.endpoint(
    "POST /account-requests/{requestId}/answer",
    "Enter what a platform answered · 登记平台答复",
    Permission.ANSWER_ACCOUNT,
    fails=(404, 409),
)
def enter_account_answer(
    here: Here, by: access.Caller, number: TheRequest, asks: shown.AnswerEntered
) -> shown.AccountStateShown:
    """What came by another way, such as a letter."""
    linked = here.desk.casework.accounts.linked
    state = linked.answer(number, asks.state, asks.note, by, asks.why, here.now)
    return shown.AccountStateShown(id=number, state=state)


@router.endpoint(
    "POST /account-requests/{requestId}/release",
    "Have an account released · 解除账号处置",
    Permission.RELEASE_ACCOUNT,
    fails=(404, 409),
)
def release_account(
    here: Here, by: access.Caller, number: TheRequest, because: Because
) -> shown.AccountStateShown:
    """Although the ground of its card stands; accounts of cards that are free again are released by themselves."""
    state = here.desk.casework.accounts.linked.release(number, by, because.why, here.now)
    return shown.AccountStateShown(id=number, state=state)


@router.endpoint(
    "POST /account-requests/{requestId}/answers",
    "A platform answers by itself · 平台回传答复",
    fails=(401, 409),
    status_code=204,
    openapi_extra=BYTES_BODY,
)
async def take_platform_answer(
    request: Request, here: Here, number: TheRequest, signature: _Signature
) -> None:
    """JSON {id, state, note} as in docs/account-platform.openapi.yaml, signed with its key; again is no error.

    401: the platform of this request did not sign it.
    """
    body = await request.body()
    linked = here.desk.casework.accounts.linked
    if not await run_in_threadpool(linked.platform_answers, number, body, signature, here.now):
        if wait := here.failed.take(access.address_of(request)):
            raise too_many(wait)
        raise unauthenticated("the answer does not bear the signature of the platform of this request")


@router.endpoint(
    "GET /takedown-items", "Items for take-down · 待清理线索", Permission.LIST_TAKEDOWN, fails=(409,)
)
def list_takedown_items(
    here: Here,
    by: access.Caller,
    state: Annotated[list[ItemState] | None, Query(description="Only in these states.")] = None,
    kind: Annotated[IndicatorKind | None, Query(description="Only of this kind.")] = None,
    blocked: Annotated[bool, Query(description="Only what the message filter refuses.")] = False,
    after: After = None,
    limit: _Limit = 50,
) -> shown.TakedownItemsShown:
    """What refused messages and complaints name, the last seen first. Of a refused message nothing else is kept."""
    which = ItemFilter(tuple(state or ()), kind, blocked)
    return shown.TakedownItemsShown.told(here.desk.casework.accounts.items.page(which, by, after, limit))


@router.endpoint(
    "POST /takedown-items/{itemId}/move",
    "How an item goes on · 办理线索",
    Permission.AGREE_TAKEDOWN,
    fails=(409,),
)
def move_takedown_item(
    here: Here, by: access.Caller, number: TheItem, asks: shown.ItemMoved
) -> shown.TakedownItemShown:
    """Agreed, passed on, taken down, rejected. Messages with a rejected one pass again."""
    items = here.desk.casework.accounts.items
    after = items.move(number, asks.state, by, asks.why, here.now, asks.passed_to)
    return shown.TakedownItemShown.of(vars(after), IN_FULL)


@router.endpoint(
    "POST /takedown-items/{itemId}/block",
    "Refuse messages with it · 启用拦截",
    Permission.BLOCK_TAKEDOWN,
    fails=(409,),
)
def block_takedown_item(
    here: Here, by: access.Caller, number: TheItem, because: Because
) -> shown.TakedownItemShown:
    """As somebody else than who agreed that it is fraud's."""
    after = here.desk.casework.accounts.items.block(number, by, because.why, here.now)
    return shown.TakedownItemShown.of(vars(after), IN_FULL)


@router.endpoint(
    "POST /takedown-items/{itemId}/unblock",
    "Let messages with it pass · 停用拦截",
    Permission.BLOCK_TAKEDOWN,
    fails=(409,),
)
def unblock_takedown_item(
    here: Here, by: access.Caller, number: TheItem, because: Because
) -> shown.TakedownItemShown:
    """The item stays as it is."""
    after = here.desk.casework.accounts.items.unblock(number, by, because.why, here.now)
    return shown.TakedownItemShown.of(vars(after), IN_FULL)
