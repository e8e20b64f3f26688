"""The police's end for tests: docs/police-clues.openapi.yaml on a real server, which keeps each clue once."""

from __future__ import annotations

from base64 import b64decode
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from support.photo_server import Heard, Say, Scripted, Wrong, add_errors, against, described, served

NAME = "police-clues"
KEY = "pc_stub-0123456789"


@dataclass
class PoliceServer:
    """A server at `url`. `kept`: clue -> its files; `script`, `heard`: as of any stub."""

    url: str = ""
    kept: dict[str, dict[str, bytes]] = field(default_factory=dict)
    script: deque[Say] = field(default_factory=deque)
    heard: list[Heard] = field(default_factory=list)


@contextmanager
def police_server() -> Iterator[PoliceServer]:
    found = PoliceServer()
    scripted = Scripted(_police(found.kept))
    with served(scripted) as url:
        found.url, found.script, found.heard = url, scripted.script, scripted.heard
        yield found


def _police(kept: dict[str, dict[str, bytes]]) -> FastAPI:
    api = FastAPI(openapi_url=None)
    add_errors(api)

    @api.put("/clues/{clue}")
    async def put(clue: str, request: Request) -> Response:
        body: Any = await request.json()
        if request.headers.get("authorization") != f"Bearer {KEY}":
            raise Wrong(401, "the key is not known")
        operation = described(NAME)["paths"]["/clues/{clueId}"]["put"]
        header = next(one for one in operation["parameters"] if one["name"] == "Idempotency-Key")
        content = operation["requestBody"]["content"]["application/json"]
        if wrong := against(NAME, header["schema"], request.headers.get("Idempotency-Key")) or against(
            NAME, content["schema"], body
        ):
            raise Wrong(400, wrong)
        files = {one["name"]: b64decode(one["content"]) for one in body["files"]}
        if clue in kept:
            return Response(status_code=200 if kept[clue] == files else 409)
        kept[clue] = files
        return Response(status_code=201)

    return api
