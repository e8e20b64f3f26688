"""Signing in with a browser: the session of a person, by a cookie."""

from __future__ import annotations

from fastapi import Request, Response

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Context, Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.http.session_cookie import (
    COOKIE,
    csrf_token,
    forget_session_cookie,
    refuse_other_sites,
    session_token,
    set_session_cookie,
)
from duanka.api.schemas.errors import Problem, too_many
from duanka.api.schemas.people.session import PasswordAsked, SessionShown, SignInAsked
from duanka.domain.sign_in import SessionEnd, StaffSession

router = Endpoints("session")


@router.endpoint("POST /session", "Sign in · 登录", status_code=201, fails=(401, 403))
async def sign_in(request: Request, here: Here, asks: SignInAsked, answer: Response) -> SessionShown:
    """Sets the cookie of a new session; one that the browser had before ends.

    401 says neither whether there is such a login name nor whether it is locked after wrong passwords, and takes as
    long as 201. 403: asked by a page of another site.
    """
    refuse_other_sites(request)
    address = access.address_of(request)
    not_too_many(here, address)

    def begin() -> StaffSession:
        session = here.desk.sign_in.passwords.begin(asks.login, asks.password, address, here.now)
        end_former(request, here)
        return session

    session = await here.hashing.as_long(begin, here.limits.sign_in_least)
    set_session_cookie(request, answer, session.token)
    return SessionShown.told(session, csrf_token(session.token))


@router.endpoint("GET /session", "Who is signed in · 当前登录")
def get_session(session: access.SignedIn) -> SessionShown:
    """Asking it keeps nobody signed in."""
    return SessionShown.told(session, csrf_token(session.token))


@router.endpoint("DELETE /session", "Sign out · 退出", status_code=204)
def sign_out(request: Request, here: Here, session: access.SignedIn) -> Response:
    """The session ends here, not in the browser alone."""
    here.desk.sign_in.sessions.sign_out(session, here.now)
    answer = Response(status_code=204)
    forget_session_cookie(request, answer)
    return answer


@router.endpoint("POST /session/password", "Change one's password · 修改口令", fails=(409,))
async def change_password(
    request: Request, here: Here, session: access.SignedIn, asks: PasswordAsked, answer: Response
) -> SessionShown:
    """All sessions of the person end; this browser gets a new one. 403: the present password is wrong.

    409: the new one is easily guessed, or the present one.
    """
    address = access.address_of(request)
    not_too_many(here, address)
    changed = await here.hashing.as_long(
        lambda: here.desk.sign_in.passwords.change_password(
            session, asks.present, asks.new, address, here.now
        ),
        here.limits.sign_in_least,
    )
    set_session_cookie(request, answer, changed.token)
    return SessionShown.told(changed, csrf_token(changed.token))


def not_too_many(here: Context, address: str) -> None:
    """Problem 429 after too many tries from one address."""
    if wait := here.sign_in.take(address):
        raise too_many(wait)


def end_former(request: Request, here: Context) -> None:
    """End the session that the browser had before."""
    if COOKIE not in request.cookies:
        return
    try:
        former = here.desk.sign_in.sessions.who(session_token(request), here.now, active=False)
    except Problem:
        return
    if former:
        here.desk.sign_in.sessions.sign_out(former, here.now, SessionEnd.REPLACED)
