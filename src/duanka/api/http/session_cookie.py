"""The cookie of who signed in, and what keeps other sites from using it.

A browser sends the cookie by itself, so a request that changes something also bears the session's CSRF token, which
only our pages can read, and comes from our own pages as far as the browser says from where it comes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.security import APIKeyCookie

from duanka.api.http.dependencies import BASE
from duanka.api.http.openapi import BACKGROUND_HEADER, COOKIE_SCHEME, CSRF_HEADER
from duanka.api.schemas.errors import Problem, unauthenticated

COOKIE = "duanka_session"
SESSION_COOKIE = APIKeyCookie(
    name=COOKIE,
    scheme_name=COOKIE_SCHEME,
    auto_error=False,
    description="Set by `signIn`; a request that changes something also bears the session's `x-csrf-token`.",
)
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS = frozenset({"same-origin", "none"})  # none: typed by the person
_PORTS = {"http": 80, "https": 443}
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 random bytes


def needs_tls(request: Request) -> bool:
    """Whether a cookie is for TLS alone, which a proxy before us may end: everywhere but on loopback."""
    return request.url.scheme == "https" or request.url.hostname not in LOOPBACK


def set_session_cookie(request: Request, answer: Response, token: str) -> None:
    """Let the browser keep a session's token, unreadable to scripts, for our API alone, until it is closed."""
    answer.set_cookie(COOKIE, token, path=BASE, httponly=True, samesite="strict", secure=needs_tls(request))


def forget_session_cookie(request: Request, answer: Response) -> None:
    """Let the browser forget it."""
    answer.delete_cookie(COOKIE, path=BASE, httponly=True, samesite="strict", secure=needs_tls(request))


def session_token(request: Request) -> str:
    """The session's token. Problem 401: malformed, or several of them: one was put there by somebody else."""
    given = [
        value.strip()
        for header in request.headers.getlist("cookie")
        for name, _, value in (one.partition("=") for one in header.split(";"))
        if name.strip() == COOKIE
    ]
    if len(given) != 1 or not _TOKEN.fullmatch(given[0]):
        raise unauthenticated("the session's cookie is not ours; sign in again with `POST /session`")
    return given[0]


def csrf_token(token: str) -> str:
    """The CSRF token of a session: whoever has it cannot tell the cookie from it."""
    digest = hashlib.sha256(b"duanka csrf " + token.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def refuse_other_sites(request: Request) -> None:
    """Problem 403 if the browser says that another site's page asks."""
    site = request.headers.get("sec-fetch-site")
    foreign = site is not None and site not in _OURS
    if request.method not in _SAFE:
        foreign = foreign or any(not _is_ours(request, one) for one in request.headers.getlist("origin"))
    if foreign:
        raise Problem(
            403,
            "this comes from a page of another site; if it is ours, let the proxy pass on the `Host` of the browser",
        )


def check_csrf(request: Request, token: str) -> None:
    """Problem 403 if a request that changes something lacks the CSRF token of its session."""
    if request.method in _SAFE:
        return
    given = request.headers.get(CSRF_HEADER, "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(given, csrf_token(token).encode()):
        raise Problem(403, f"send `{CSRF_HEADER}` with the token that `GET /session` gives")


def is_background(request: Request) -> bool:
    """Whether a page asks by itself, so that nobody is kept signed in by it; a stream it opens always by itself."""
    said = request.headers.get(BACKGROUND_HEADER, "").lower() == "true"
    stream = request.headers.get("accept", "").startswith("text/event-stream")  # as EventSource asks
    return request.method in _SAFE and (said or stream)


def _is_ours(request: Request, origin: str) -> bool:
    try:
        given, host = urlsplit(origin), urlsplit(f"//{request.headers.get('host', '')}")
        port = _PORTS.get(given.scheme)
        same_port = (given.port or port) == (host.port or port)
    except ValueError:
        return False
    return port is not None and bool(given.hostname) and given.hostname == host.hostname and same_port
