"""What holds for every request, whatever it asks: the correlator, the size of the body, headers, the last resort."""

from __future__ import annotations

import logging
import re
import traceback
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from duanka.api.problems import answer

CORRELATOR = r"^[a-zA-Z0-9\-_:;.\/<>{}]{0,256}$"
_CORRELATOR = re.compile(CORRELATOR[1:-1])
_log = logging.getLogger("duanka.api")


class Wire:
    """Wraps the API: echoes or makes `x-correlator`, refuses bodies over `body` bytes, and answers when all fails."""

    def __init__(self, app: ASGIApp, body: int) -> None:
        self._app, self._body = app, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-correlator", "")
        fits = _CORRELATOR.fullmatch(given)
        correlator = given if given and fits else str(uuid4())
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                out = MutableHeaders(scope=message)
                out["x-correlator"] = correlator
                out["Cache-Control"] = "no-store"
                out["X-Content-Type-Options"] = "nosniff"
            await send(message)

        if not fits:
            await answer(400, f"x-correlator: it must match {CORRELATOR}")(scope, receive, sending)
            return
        if _length(headers) > self._body:
            await answer(413, self._too_large, {"Connection": "close"})(scope, receive, sending)
            return
        try:
            await self._app(scope, self._counted(receive), sending)
        except Exception as error:
            # where and of what type: a message can quote what was sent
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s %s: %s\n%s", correlator, scope["method"], type(error).__name__, where)
            if begun:
                raise
            await answer(500, f"a defect of ours; tell us {correlator}")(scope, receive, sending)

    @property
    def _too_large(self) -> str:
        return f"a body may have {self._body} bytes; send less at once"

    def _counted(self, receive: Receive) -> Receive:
        """For bodies that do not say how long they are."""
        read = 0

        async def receiving() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._body:
                raise HTTPException(413, self._too_large, {"Connection": "close"})
            return message

        return receiving


def _length(headers: Headers) -> int:
    stated = headers.get("content-length", "0")
    return int(stated) if stated.isascii() and stated.isdigit() else 0
