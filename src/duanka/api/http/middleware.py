"""Middleware of every request: correlator, body limit, headers, unhandled errors."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from duanka.api.schemas.errors import TooLarge, answer
from duanka.domain.identity import CheckReason

CORRELATOR = r"^[a-zA-Z0-9\-_:;.\/<>{}]{0,256}$"
_CORRELATOR = re.compile(CORRELATOR[1:-1])
_log = logging.getLogger("duanka.api")


@dataclass(frozen=True)
class BodyLimit:
    """Maximum body size (bytes), and the reason told to a holder who exceeds it."""

    bytes: int
    reason: CheckReason | None = None


class RequestMiddleware:
    """Echoes or creates `x-correlator`, limits bodies, answers unhandled errors.

    `body`: maximum body size (bytes). `others`: path -> its own limit.
    """

    def __init__(self, app: ASGIApp, body: int, others: Mapping[str, BodyLimit] | None = None) -> None:
        self._app, self._most, self._others = app, BodyLimit(body), dict(others or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-correlator", "")
        fits = _CORRELATOR.fullmatch(given)
        correlator = given if given and fits else str(uuid4())
        begun, reading = False, _has_body(headers)

        async def receiving() -> Message:
            nonlocal reading
            message = await receive()
            reading = reading and bool(message.get("more_body"))
            return message

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                out = MutableHeaders(scope=message)
                out["x-correlator"] = correlator
                out.setdefault("Cache-Control", "no-store")  # files of the console name how long they keep
                out["X-Content-Type-Options"] = "nosniff"
                if reading:  # answered before the body was read: ignore the rest
                    out["Connection"] = "close"
            await send(message)

        if not fits:
            await answer(400, f"x-correlator: it must match {CORRELATOR}")(scope, receive, sending)
            return
        most = self._others.get(scope["path"], self._most)
        if _length(headers) > most.bytes:
            await TooLarge(most.bytes, most.reason).answer()(scope, receive, sending)
            return
        try:
            await self._app(scope, _counted(receiving, most), sending)
        except Exception as error:
            # log place and type only: the error's message can quote the request
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s %s: %s\n%s", correlator, scope["method"], type(error).__name__, where)
            if begun:
                raise
            await answer(500, f"a defect of ours; tell us {correlator}")(scope, receive, sending)


def _counted(receive: Receive, most: BodyLimit) -> Receive:
    """Enforce the limit while reading, for bodies without a declared length."""
    read = 0

    async def receiving() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most.bytes:
            raise TooLarge(most.bytes, most.reason)
        return message

    return receiving


def _has_body(headers: Headers) -> bool:
    return _length(headers) > 0 or "transfer-encoding" in headers


def _length(headers: Headers) -> int:
    stated = headers.get("content-length", "0")
    return int(stated) if stated.isascii() and stated.isdigit() else 0
