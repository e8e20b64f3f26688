"""A store of registered photos for tests: docs/reference-photos.openapi.yaml on a real server.

And what any stub of such a document is made of: it says what `script` tells it to, and its answers can be compared
with the document.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import uvicorn
import yaml  # type: ignore[import-untyped]
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from hypothesis import HealthCheck, Phase, settings
from jsonschema_rs import Draft202012Validator
from starlette.exceptions import HTTPException

from support import ROOT
from support.waiting import HANG, until

DOCS = ROOT / "docs"
_CODES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
GENERATED = settings(  # schemathesis: the same examples every time, and as many as say something
    max_examples=6,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
KEY = "pk_stub-0123456789"

Send = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Say:
    """One answer out of the ordinary. `body`: whole, or in pieces with a pause before each."""

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    media: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    after: float = 0.0
    pause: float = 0.0


SILENT, CLOSE = Say(status=-1), Say(status=-2)  # no answer ever; the connection is closed instead of one


def says(answer: object, status: int = 200) -> Say:
    return Say(json.dumps(answer).encode(), status)


@dataclass(frozen=True)
class Heard:
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Scripted:
    """An ASGI application that does what `script` says, once each, and is itself without one. Keeps what it heard."""

    def __init__(self, api: FastAPI) -> None:
        self._api = api
        self.script = deque[Say]()
        self.heard = list[Heard]()

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.heard.append(Heard(scope["path"], headers, body))
        if not self.script:
            await self._api(scope, _whole(body), send)
            return
        say = self.script.popleft()
        if say is CLOSE:
            receive.__self__.transport.abort()
        elif say is SILENT:
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            await _say(say, send)


async def _say(say: Say, send: Send) -> None:
    await asyncio.sleep(say.after)
    headers = {"content-type": say.media, **say.headers}
    pieces = [say.body] if isinstance(say.body, bytes) else say.body
    if isinstance(say.body, bytes):
        headers.setdefault("content-length", str(len(say.body)))
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": say.status, "headers": raw})
    for piece in pieces:
        await asyncio.sleep(say.pause)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _whole(body: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


# What the document says


@cache
def described(name: str) -> Mapping[str, Any]:
    """docs/NAME.openapi.yaml."""
    found: Mapping[str, Any] = yaml.safe_load((DOCS / f"{name}.openapi.yaml").read_text(encoding="utf-8"))
    return found


@cache
def _validator(name: str, schema: str) -> Draft202012Validator:
    return Draft202012Validator({**json.loads(schema), "components": described(name)["components"]})


def against(name: str, schema: Mapping[str, Any], value: object) -> str:
    """What is wrong with a value by a schema of the document; empty where nothing is."""
    errors = _validator(name, json.dumps(schema)).iter_errors(value)
    return "; ".join(str(error.message) for error in errors)[:300]


def wrong_answer(name: str, path: str, status: int, media: str, body: bytes) -> str:
    """What is wrong with an answer by docs/NAME.openapi.yaml; empty where nothing is."""
    responses = described(name)["paths"][path]["post"]["responses"]
    response = responses.get(str(status), responses["default"])
    if "$ref" in response:
        response = described(name)["components"]["responses"][response["$ref"].rpartition("/")[2]]
    if "content" not in response:
        return "a body where none is described" if body else ""
    if media not in response["content"]:
        return f"{media} is not described for {status}"
    if media != "application/json":
        return ""
    return against(name, response["content"][media]["schema"], json.loads(body))


class Wrong(Exception):
    """Ends a request with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def asked(name: str, request: Request, key: str) -> Any:
    """The JSON of a request that is as docs/NAME.openapi.yaml says; Wrong."""
    if request.headers.get("Authorization") != f"Bearer {key}":
        raise Wrong(401, "the key is not known")
    operation = described(name)["paths"][request.url.path]["post"]
    parameters = described(name)["components"].get("parameters", {})
    for given in operation["parameters"]:
        parameter = parameters[given["$ref"].rpartition("/")[2]] if "$ref" in given else given
        value = request.headers.get(parameter["name"])
        if value is None and parameter.get("required"):
            raise Wrong(400, f"{parameter['name']} is missing")
        if value is not None and against(name, parameter["schema"], value):
            raise Wrong(400, f"{parameter['name']} is not as described")
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise Wrong(400, "the body is no JSON") from None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    if wrong := against(name, schema, body):
        raise Wrong(400, wrong)
    return body


def add_errors(api: FastAPI) -> None:
    """Errors as {status, code, message}, and the correlator as it came."""

    def answer(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
        said = {"status": status, "code": _CODES.get(status, "INTERNAL"), "message": message}
        return JSONResponse(said, status, dict(headers or {}))

    @api.exception_handler(Wrong)
    def wrong(_: Request, error: Wrong) -> Response:
        return answer(error.status, str(error))

    @api.exception_handler(HTTPException)
    def framework(_: Request, error: HTTPException) -> Response:
        return answer(error.status_code, str(error.detail), error.headers)

    @api.middleware("http")
    async def correlated(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await go_on(request)
        if correlator := request.headers.get("x-correlator"):
            response.headers["x-correlator"] = correlator
        return response


# Serving


@contextmanager
def served(api: Any, tls: tuple[Path, Path] | None = None) -> Iterator[str]:
    """The address of an ASGI application, served by uvicorn until the end of the block."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            api,
            log_config=None,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
            ssl_certfile=tls and tls[0],
            ssl_keyfile=tls and tls[1],
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            until(lambda: server.started)
            yield f"{'https' if tls else 'http'}://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(HANG)


@contextmanager
def dripping(answer: bytes, pause: float) -> Iterator[str]:
    """The address of what answers byte by byte, the head too, as uvicorn would not."""
    over = threading.Event()

    def answered(connection: socket.socket) -> None:
        with connection:
            connection.recv(65_536)
            for byte in answer:
                if over.wait(pause):
                    return
                try:
                    connection.send(bytes((byte,)))
                except OSError:
                    return

    def listened(listening: socket.socket) -> None:
        while not over.is_set():
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            connection.settimeout(HANG)
            answered(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        thread = threading.Thread(target=listened, args=(listening,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            thread.join(HANG)


# The store


@dataclass
class StubPhotos:
    """A store at `url`. `photos`: by card, without +; `script`: what the next requests are answered; `heard`: all."""

    url: str
    key: str
    photos: dict[str, bytes]
    script: deque[Say]
    heard: list[Heard]


@contextmanager
def photo_server(tls: tuple[Path, Path] | None = None) -> Iterator[StubPhotos]:
    """A store on loopback until the end of the block. `tls`: files of certificate and key."""
    photos = dict[str, bytes]()
    scripted = Scripted(_store(photos))
    with served(scripted, tls) as url:
        yield StubPhotos(url, KEY, photos, scripted.script, scripted.heard)


def _store(photos: dict[str, bytes]) -> FastAPI:
    api = FastAPI(openapi_url=None)
    add_errors(api)

    @api.post("/photo-searches")
    async def search(request: Request) -> Response:
        body = await asked("reference-photos", request, KEY)
        photo = photos.get(body["phoneNumber"].removeprefix("+"))
        if photo is None:
            raise Wrong(404, "no photo of who registered this number")
        return Response(photo, media_type="image/png" if photo.startswith(b"\x89PNG") else "image/jpeg")

    return api
