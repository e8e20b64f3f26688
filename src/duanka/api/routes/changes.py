"""A stream that says that something changed, so that a screen reads anew only then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Query
from starlette.responses import StreamingResponse

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Context, Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.http.latest_change import STEP
from duanka.domain.authority import Permission

router = Endpoints("changes")
MOST_SECONDS = 300  # then the client comes again, and its key or session is looked at again
_ALIVE = 15.0  # seconds without a word, after which proxies let go

Seconds = Annotated[int, Query(ge=1, le=MOST_SECONDS, description="How long the stream lasts.")]


@router.endpoint(
    "GET /changes",
    "A stream of changes · 变动通知",
    Permission.WHO_AM_I,
    answers={200: {"description": "Server-sent events.", "content": {"text/event-stream": {}}}},
    response_class=StreamingResponse,
)
async def watch_changes(here: Here, by: access.Caller, seconds: Seconds = MOST_SECONDS) -> StreamingResponse:
    """Server-sent events: `changed`, at once and whenever something changed since, at most one a second.

    Its data is a number that grows; it says that something changed and not what. Read again what you show. The stream
    ends after `seconds`, and when the server stops; browsers come again by themselves.
    """
    del by
    return StreamingResponse(_events(here, seconds), media_type="text/event-stream")


async def _events(here: Context, seconds: int) -> AsyncIterator[bytes]:
    clock = asyncio.get_running_loop().time
    ends, told, spoke = clock() + seconds, -1, clock()
    yield b"retry: 2000\n\n"
    while clock() < ends and not here.ending.is_set():
        latest = await here.latest_change.number()
        if latest != told:
            yield f"event: changed\nid: {latest}\ndata: {latest}\n\n".encode()
            told, spoke = latest, clock()
        elif clock() - spoke > _ALIVE:
            yield b": still here\n\n"
            spoke = clock()
        await asyncio.sleep(STEP)
