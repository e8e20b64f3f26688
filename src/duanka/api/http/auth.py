"""Authentication by key or cookie (people), link or session (holders); limits guessing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from duanka.api.http.client_addresses import client_key
from duanka.api.http.dependencies import BASE, Context, Here
from duanka.api.http.openapi import KEY_SCHEME
from duanka.api.http.session_cookie import (
    SESSION_COOKIE,
    check_csrf,
    is_background,
    needs_tls,
    refuse_other_sites,
    session_token,
)
from duanka.api.schemas.errors import Problem, too_many, unauthenticated
from duanka.application.online_verification import OnlineVerification
from duanka.application.unlinked_verification import UnlinkedVerification
from duanka.domain.identity import CheckReason, CheckRefused, Session
from duanka.domain.order import AlreadyUsed, Order, Person, UnknownOrder
from duanka.domain.person import HOLDER
from duanka.domain.sign_in import StaffSession
from duanka.orders.verification.links import LinkState
from duanka.orders.verification.unlinked_sessions import PREFIX as UNLINKED

API_KEY = HTTPBearer(
    scheme_name=KEY_SCHEME,
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
SessionService = OnlineVerification | UnlinkedVerification
BROWSER = "duanka_browser"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 random bytes
_IN_THE_LINK = "what follows # in the link of the notice"


def person(
    request: Request,
    here: Here,
    given: Annotated[_Given, Security(API_KEY)],
    cookie: Annotated[str | None, Security(SESSION_COOKIE)],
) -> Person:
    """Return the person with this key, else of this session; 401 without one."""
    known: Person | None = getattr(request.state, "person", None)
    if known and _has_no_body(request):  # `KeyFirstRoute` has checked the key and stored its person
        return known
    if given is None and cookie is not None:
        session = _staff_session(request, here, counts=known is None)
        if session.must_change:
            raise Problem(403, "change the password that was generated first: `POST /session/password`")
        return session.person
    # reading a body can take minutes: check again, as the key may have been revoked meanwhile
    found = here.desk.keys.who(given.credentials) if given else None
    if given is None or found is None:
        # limit failures only: all clients behind one proxy share an address
        if wait := here.failed.take(address_of(request)):
            raise too_many(wait)
        raise unauthenticated(
            "send `Authorization: Bearer dk_…` with a key that is in force, or sign in with `POST /session`"
        )
    if known is None and (wait := here.by_key.take(hashlib.sha256(given.credentials.encode()).hexdigest())):
        raise too_many(wait)
    return found


def signed_in(
    request: Request, here: Here, cookie: Annotated[str | None, Security(SESSION_COOKIE)]
) -> StaffSession:
    """Return the session of who signed in, also of who must change their password; 401 without one."""
    if cookie is None:
        raise unauthenticated("nobody is signed in; `POST /session` signs in")
    return _staff_session(request, here, counts=True)


def _staff_session(request: Request, here: Context, *, counts: bool) -> StaffSession:
    """Return the cookie's session. Problem: 401, 403 from another site or without CSRF token, 429."""
    refuse_other_sites(request)
    token = session_token(request)
    check_csrf(request, token)
    only_looks = request.method == "GET" and request.url.path == f"{BASE}/session"
    active = not (only_looks or is_background(request))
    session = here.desk.sign_in.sessions.who(token, here.now, active=active)
    if session is None:
        if wait := here.failed.take(address_of(request)):
            raise too_many(wait)
        raise unauthenticated("the session is over; sign in again with `POST /session`")
    if counts and (wait := here.by_key.take(f"session {session.id}")):
        raise too_many(wait)
    return session


def _has_no_body(request: Request) -> bool:
    return request.method in ("GET", "HEAD")


Caller = Annotated[Person, Depends(person)]  # authenticated; `Endpoints` checks permissions
SignedIn = Annotated[StaffSession, Depends(signed_in)]


@dataclass(frozen=True)
class Holder:
    """A holder with a valid link, and the order of the link."""

    order: Order
    person: Person
    token: str = field(repr=False)
    link: LinkState = LinkState.OPEN


@dataclass(frozen=True)
class CurrentSession:
    """A valid session of a holder, or without a link of whoever has the two numbers; what serves it; its token."""

    session: Session
    online: SessionService
    token: str = field(repr=False)


def holder(request: Request, here: Here, given: Annotated[_Given, Security(LINK_TOKEN)]) -> Holder:
    """Return the holder with this link; viewing does not use the link up."""
    known: Holder | None = getattr(request.state, "holder", None)
    if known and _has_no_body(request):
        return known
    with _unless_guessing(request, here):
        token = _token(given, _IN_THE_LINK)
        with here.desk.store.reading() as connection:
            order = here.desk.links.open_in(connection, token, here.now)
            link = here.desk.links.state_of(connection, token, browser_secret(request))
    if known is None and (wait := here.holder.take(order.card)):
        raise too_many(wait)
    return Holder(order, HOLDER, token, link)


def link_of_ours(request: Request, here: Here, given: Annotated[_Given, Security(LINK_TOKEN)]) -> str:
    """Return the token of an open order's link, even if expired or another browser's."""
    with _unless_guessing(request, here):
        token = _token(given, _IN_THE_LINK)
        with here.desk.store.reading() as connection:
            order = here.desk.links.order_of(connection, token)
    if wait := here.holder.take(order.card):
        raise too_many(wait)
    return token


def sitting(
    request: Request, here: Here, given: Annotated[_Given, Security(SESSION_TOKEN)]
) -> CurrentSession:
    """Return the holder's session."""
    return _sitting(request, here, given, lambda session: here.holder.take(session.card))


def polling(
    request: Request, here: Here, given: Annotated[_Given, Security(SESSION_TOKEN)]
) -> CurrentSession:
    """Like `sitting`, with the rate limit for polling every second."""
    return _sitting(request, here, given, lambda session: here.polling.take(session.id))


def sending(
    request: Request, here: Here, given: Annotated[_Given, Security(SESSION_TOKEN)]
) -> CurrentSession:
    """Like `sitting`, with the rate limit for sending pictures one by one."""
    return _sitting(request, here, given, lambda session: here.pictures.take(session.id))


def _sitting(
    request: Request, here: Context, given: _Given, take: Callable[[Session], int]
) -> CurrentSession:
    with _unless_guessing(request, here):
        token = _token(given, "the sessionToken")
        of_link = not token.startswith(UNLINKED)
        store = here.desk.checks if of_link else here.desk.checks.unlinked
        session = store.session(token, here.now)
    if wait := take(session):
        raise too_many(wait)
    return CurrentSession(session, online(here) if of_link else unlinked(here), token)


def browser_secret(request: Request) -> str:
    """Return the secret that binds a link to this browser; "" if missing or malformed."""
    given = request.cookies.get(BROWSER, "")
    return given if _SECRET.fullmatch(given) else ""


def remember_browser(request: Request, here: Context, answer: Response, secret: str) -> None:
    """Set the browser's secret as a cookie for our pages only, unreadable to scripts."""
    policy = here.desk.orders.terms.policy
    answer.set_cookie(
        BROWSER,
        secret,
        max_age=int(policy.link_hours * 3600) + 86_400,
        httponly=True,
        samesite="strict",
        secure=needs_tls(request),
    )


@contextmanager
def _unless_guessing(request: Request, here: Context) -> Iterator[None]:
    """Answer 401 for an invalid link or session; limit such failures by address.

    Thousands of holders can share an address, so successful requests are limited per holder instead.
    """
    try:
        yield
    except (Problem, UnknownOrder, AlreadyUsed) as error:
        if wait := here.failed.take(address_of(request)):
            raise too_many(wait) from None
        if isinstance(error, Problem):
            raise
        raise unauthenticated(str(error)) from None


def _token(given: _Given, what: str) -> str:
    if given is None:
        raise unauthenticated(f"send `Authorization: Bearer …` with {what}")
    return given.credentials


def online(here: Context) -> OnlineVerification:
    """Return the online verification; CheckRefused if there is none."""
    if here.verification is None:
        raise CheckRefused(CheckReason.NOT_AVAILABLE)
    return here.verification


def unlinked(here: Context) -> UnlinkedVerification:
    """Return the online verification without a link; CheckRefused if there is none."""
    found = online(here).unlinked
    if found is None:
        raise CheckRefused(CheckReason.NOT_AVAILABLE)
    return found


def least_seconds(here: Context, sits: CurrentSession) -> float:
    """Return how long the answer to a submission takes at least: without a link, its time tells nothing."""
    return here.limits.unlinked_submit if sits.session.unlinked else 0.0


def address_of(request: Request) -> str:
    """Return the rate-limit key of the client's address."""
    return client_key(request.client.host if request.client else "")


LinkOfOurs = Annotated[str, Depends(link_of_ours)]
IsHolder = Annotated[Holder, Depends(holder)]
Sits = Annotated[CurrentSession, Depends(sitting)]
Polls = Annotated[CurrentSession, Depends(polling)]
Sends = Annotated[CurrentSession, Depends(sending)]
