"""Signing in by an OpenID Connect provider: the browser leaves for it, and comes back with a code."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from duanka.api.http import auth as access
from duanka.api.http.dependencies import BASE, OIDC_CALLBACK, Context, Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.http.session_cookie import needs_tls, set_session_cookie
from duanka.api.routes.sign_in.session import end_former, not_too_many
from duanka.api.schemas.errors import Problem
from duanka.api.schemas.people.session import SignInWays
from duanka.domain.identity_provider import (
    LASTS,
    IdentityProvider,
    IdentityRefused,
    Leaving,
    ProviderUnavailable,
)
from duanka.domain.text import BilingualText

router = Endpoints("session")

COOKIE = "duanka_sign_in"
AFTER = "/console"  # where a browser goes on; the hash tells its page that somebody signed in
_PATH = f"{BASE}/session/oidc"
_UNAVAILABLE = BilingualText(
    "统一身份认证服务无应答：请稍后重试，或用口令登录。",
    "The sign-in service does not answer: try again, or sign in with a password.",
)
_REFUSED = BilingualText(
    "未能确认身份：请重新登录；仍不行请联系主管。",
    "Who you are could not be confirmed: sign in again; if it goes on, ask a supervisor.",
)
_PAGE = """<!doctype html>
<html lang="zh"><meta charset="utf-8"><title>断卡 · 登录</title>
<h1>{zh}</h1><p lang="en">{en}</p><p lang="en">{message}</p>
<p><a href="{after}">返回登录页 · Back</a></p></html>
"""
_HEADERS = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
_Text = Annotated[str, Query(max_length=2048)]


@router.endpoint("GET /session/ways", "How to sign in here · 登录方式")
def get_ways(here: Here) -> SignInWays:
    """Whether there is a provider beside the password."""
    return SignInWays(password=True, oidc=here.provider is not None)


@router.endpoint(
    "GET /session/oidc",
    "Leave for the provider · 统一身份登录",
    status_code=303,
    fails=(404,),
    response_class=RedirectResponse,
)
def leave_for_provider(request: Request, here: Here) -> Response:
    """For a browser: leads to the provider, and sets a cookie that its answer has to fit. 404: there is none."""

    def leave() -> Response:
        leaving = Leaving.begin(here.now)
        answer = RedirectResponse(_provider(here).address(leaving), 303)
        answer.set_cookie(
            COOKIE,
            leaving.cookie,
            max_age=int(LASTS.total_seconds()),
            path=_PATH,
            httponly=True,
            samesite="lax",  # it has to come along when the provider sends the browser back
            secure=needs_tls(request),
        )
        return answer

    return _in_browser(request, here, leave)


@router.endpoint(
    f"GET {OIDC_CALLBACK}",
    "Come back from the provider · 统一身份登录返回",
    status_code=303,
    fails=(403, 404),
    response_class=RedirectResponse,
)
def come_back(
    request: Request, here: Here, state: _Text = "", code: _Text = "", error: _Text = "", iss: _Text = ""
) -> Response:
    """For a browser: the session's cookie, and on to the console. Nobody is created by it.

    403: no answer to this browser's question, or nobody is bound to whom the provider names.
    """

    def come() -> Response:
        provider = _provider(here)
        leaving = Leaving.of_cookie(request.cookies.get(COOKIE, ""))
        if leaving is None or not leaving.fits(state, here.now):
            raise IdentityRefused(
                "this browser has asked nothing that this answers, or too long ago; sign in again"
            )
        if iss and iss != provider.issuer:
            raise IdentityRefused("another provider answers than the one that was asked; sign in again")
        if error or not code:
            raise IdentityRefused(f"{provider.issuer} did not sign anybody in ({error[:64] or 'no code'})")
        now = here.now
        subject = provider.subject(code, leaving, now)
        by_subject = here.desk.sign_in.passwords.begin_by_subject
        session = by_subject(provider.issuer, subject, leaving.state, access.address_of(request), now)
        end_former(request, here)
        answer = RedirectResponse(f"{AFTER}#signed-in", 303)
        set_session_cookie(request, answer, session.token)
        return answer

    answer = _in_browser(request, here, come)
    answer.delete_cookie(COOKIE, path=_PATH, httponly=True, samesite="lax", secure=needs_tls(request))
    return answer


def _provider(here: Context) -> IdentityProvider:
    if here.provider is None:
        raise Problem(
            404, "no provider to sign in by is set up (DUANKA_OIDC_ISSUER); `POST /session` takes a password"
        )
    return here.provider


def _in_browser(request: Request, here: Context, work: Callable[[], Response]) -> Response:
    """The answer of `work`; where it fails and a browser asks, a page that says so."""
    not_too_many(here, access.address_of(request))
    try:
        return work()
    except (IdentityRefused, ProviderUnavailable) as failed:
        if "text/html" not in request.headers.get("accept", ""):
            raise
        unavailable = isinstance(failed, ProviderUnavailable)
        words = _UNAVAILABLE if unavailable else _REFUSED
        page = _PAGE.format(zh=words.zh, en=words.en, message=html.escape(str(failed)), after=AFTER)
        return HTMLResponse(page, 503 if unavailable else 403, _HEADERS)
