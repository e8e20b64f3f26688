"""Authentication by key (people), link or session (holders); limits guessing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request, Response, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from duanka.api.http.client_addresses import client_key
from duanka.api.http.dependencies import Context, Here, context_of
from duanka.api.schemas.errors import Problem, too_many, unauthenticated
from duanka.application.online_verification import OnlineVerification
from duanka.domain.authority import Permission, authorize
from duanka.domain.identity import CheckReason, CheckRefused, Session
from duanka.domain.order import AlreadyUsed, Order, Person, UnknownOrder
from duanka.domain.person import HOLDER
from duanka.orders.verification.links import LinkState

API_KEY = HTTPBearer(
    scheme_name="apiKey",
    bearerFormat="dk_…",
    auto_error=False,
    description="A key (密钥) that `duanka persons add` or `keys add` gave; the person's role says what it may do.",
)
LINK_TOKEN = HTTPBearer(
    scheme_name="linkToken",
    bearerFormat="44 letters",
    auto_error=False,
    description="What follows `#` in the link of a notice (短信链接); it is the browser's that agreed by it.",
)
SESSION_TOKEN = HTTPBearer(
    scheme_name="sessionToken",
    auto_error=False,
    description="What `beginSession` gave: one holder at one verification, from the consent to the verdict.",
)
_Given = HTTPAuthorizationCredentials | None
BROWSER = "duanka_browser"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 random bytes
_PERSON, _HOLDER = "duanka_person", "duanka_holder"  # names in the state of a request


def person(request: Request, here: Here, given: Annotated[_Given, Security(API_KEY)]) -> Person:
    """Return the person with this key; 401 without one."""
    known: Person | None = getattr(request.state, _PERSON, None)
    if known and _has_no_body(request):  # `KeyFirstRoute` has checked the key already
        return known
    # reading a body can take minutes: check again, as the key may have been revoked meanwhile
    found = here.desk.keys.who(given.credentials) if given else None
    if given is None or found is None:
        # limit failures only: all clients behind one proxy share an address
        if wait := here.failed.take(_address(request)):
            raise too_many(wait)
        raise unauthenticated("send `Authorization: Bearer dk_…` with a key that is in force")
    if known is None and (wait := here.by_key.take(hashlib.sha256(given.credentials.encode()).hexdigest())):
        raise too_many(wait)
    return found


def _has_no_body(request: Request) -> bool:
    return request.method in ("GET", "HEAD")


Caller = Annotated[Person, Depends(person)]  # authenticated; `may` checks permissions


class May:
    """Route dependency that requires a permission.

    The services check again, for the order concerned.
    """

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    def __call__(self, by: Caller) -> None:
        """Refuse with 403 before the request's content is parsed."""
        authorize(by, self.permission)


def may(*permissions: Permission) -> list[Any]:
    """Return the `dependencies` of a route that needs these permissions."""
    return [Depends(May(one)) for one in permissions]


@dataclass(frozen=True)
class Holder:
    """A holder with a valid link, and the order of the link."""

    order: Order
    person: Person
    token: str = field(repr=False)
    link: LinkState = LinkState.OPEN


@dataclass(frozen=True)
class CurrentSession:
    """A holder's valid session, the online verification, and the session token."""

    session: Session
    online: OnlineVerification
    token: str = field(repr=False)


def holder(request: Request, here: Here, given: Annotated[_Given, Security(LINK_TOKEN)]) -> Holder:
    """Return the holder with this link; viewing does not use the link up."""
    known: Holder | None = getattr(request.state, _HOLDER, None)
    if known and _has_no_body(request):
        return known
    with _unless_guessing(request, here):
        if given is None:
            raise unauthenticated(
                "send `Authorization: Bearer …` with what follows # in the link of the notice"
            )
        try:
            with here.desk.store.reading() as connection:
                order = here.desk.links.open_in(connection, given.credentials, here.now)
                link = here.desk.links.state_of(connection, given.credentials, browser_secret(request))
        except (UnknownOrder, AlreadyUsed) as error:
            raise unauthenticated(str(error)) from None
    if known is None and (wait := here.holder.take(order.card)):
        raise too_many(wait)
    return Holder(order, HOLDER, given.credentials, link)


def link_of_ours(request: Request, here: Here, given: Annotated[_Given, Security(LINK_TOKEN)]) -> str:
    """Return a link of an open order, also if expired or bound to another browser."""
    with _unless_guessing(request, here):
        if given is None:
            raise unauthenticated(
                "send `Authorization: Bearer …` with what follows # in the link of the notice"
            )
        try:
            with here.desk.store.reading() as connection:
                order = here.desk.links.order_of(connection, given.credentials)
        except (UnknownOrder, AlreadyUsed) as error:
            raise unauthenticated(str(error)) from None
    if wait := here.holder.take(order.card):
        raise too_many(wait)
    return given.credentials


def sitting(
    request: Request, here: Here, given: Annotated[_Given, Security(SESSION_TOKEN)]
) -> CurrentSession:
    """Return the holder's session."""
    found = _sitting(request, here, given)
    if wait := here.holder.take(found.session.card):
        raise too_many(wait)
    return found


def polling(
    request: Request, here: Here, given: Annotated[_Given, Security(SESSION_TOKEN)]
) -> CurrentSession:
    """Like `sitting`, with the rate limit for polling every second."""
    found = _sitting(request, here, given)
    if wait := here.polling.take(found.session.id):
        raise too_many(wait)
    return found


def sending(
    request: Request, here: Here, given: Annotated[_Given, Security(SESSION_TOKEN)]
) -> CurrentSession:
    """Like `sitting`, with the rate limit for sending pictures one by one."""
    found = _sitting(request, here, given)
    if wait := here.pictures.take(found.session.id):
        raise too_many(wait)
    return found


def _sitting(request: Request, here: Context, given: _Given) -> CurrentSession:
    with _unless_guessing(request, here):
        if given is None:
            raise unauthenticated("send `Authorization: Bearer …` with the sessionToken")
        try:
            session = here.desk.checks.session(given.credentials, here.now)
        except (UnknownOrder, AlreadyUsed) as error:
            raise unauthenticated(str(error)) from None
    return CurrentSession(session, online(here), given.credentials)


def browser_secret(request: Request) -> str:
    """Return the secret that binds a link to this browser; "" if missing or malformed."""
    given = request.cookies.get(BROWSER, "")
    return given if _SECRET.fullmatch(given) else ""


def remember_browser(request: Request, here: Context, answer: Response, secret: str) -> None:
    """Set the browser's secret as a cookie for our pages only, unreadable to scripts."""
    policy = here.desk.book.terms.policy
    answer.set_cookie(
        BROWSER,
        secret,
        max_age=int(policy.link_hours * 3600) + 86_400,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https" or request.url.hostname not in LOOPBACK,  # TLS ends at the proxy
    )


class KeyFirstRoute(APIRoute):
    """Route that checks key or link before it reads the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler, which reads the body first, with the authentication."""
        handler, looks = super().get_route_handler(), set(_calls(self.dependant))

        async def handle(request: Request) -> Response:
            here = context_of(request)
            if person in looks:
                given = await API_KEY(request)
                setattr(request.state, _PERSON, await run_in_threadpool(person, request, here, given))
            elif holder in looks:
                given = await LINK_TOKEN(request)
                setattr(request.state, _HOLDER, await run_in_threadpool(holder, request, here, given))
            return await handler(request)

        return handle


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any] | None]:
    yield dependant.call
    for one in dependant.dependencies:
        yield from _calls(one)


@contextmanager
def _unless_guessing(request: Request, here: Context) -> Iterator[None]:
    """Limit failures by address.

    Thousands of holders can share an address, so successful requests are limited per holder instead.
    """
    try:
        yield
    except Problem:
        if wait := here.failed.take(_address(request)):
            raise too_many(wait) from None
        raise


def online(here: Context) -> OnlineVerification:
    """Return the online verification; CheckRefused if there is none."""
    if here.verification is None:
        raise CheckRefused(CheckReason.NOT_AVAILABLE)
    return here.verification


def _address(request: Request) -> str:
    """Return the key of limits by address."""
    return client_key(request.client.host if request.client else "")


LinkOfOurs = Annotated[str, Depends(link_of_ours)]
IsHolder = Annotated[Holder, Depends(holder)]
Sits = Annotated[CurrentSession, Depends(sitting)]
Polls = Annotated[CurrentSession, Depends(polling)]
Sends = Annotated[CurrentSession, Depends(sending)]

__all__ = [
    "Caller",
    "Context",
    "CurrentSession",
    "Holder",
    "IsHolder",
    "LinkOfOurs",
    "May",
    "Polls",
    "Sends",
    "Sits",
    "may",
]
