"""The console (工作台): the built files of `console/`, served beside the API."""

from __future__ import annotations

import gzip
import mimetypes
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

FILES = Path(__file__).parents[2] / "console"
PATH = "/console"
_FIRST = "index.html"
_NAMED_BY_CONTENT = "assets/"  # the build names these files by a digest of what they hold
_A_YEAR = "public, max-age=31536000, immutable"
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' blob:; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_NOT_BUILT = """断卡工作台尚未构建：在源码目录运行 make console。
The console is not built: run `make console` in the sources.
"""


def add_console(api: FastAPI) -> None:
    """Serve the files that are there; every other path below `PATH` is a view of the console, and gives its page."""
    built = sorted(path for path in FILES.rglob("*") if path.is_file())
    for path in built:
        name = path.relative_to(FILES).as_posix()
        if name != _FIRST:
            api.add_route(f"{PATH}/{name}", _serving(path, name), methods=["GET"], include_in_schema=False)
    first = FILES / _FIRST
    page = _serving(first, _FIRST) if first in built else _not_built
    for where in (PATH, f"{PATH}/{{view:path}}"):
        api.add_route(where, page, methods=["GET"], include_in_schema=False)


async def _not_built(request: Request) -> Response:
    del request
    return Response(_NOT_BUILT, status_code=503, headers=HEADERS, media_type="text/plain")


def _serving(path: Path, name: str) -> Callable[[Request], Awaitable[Response]]:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    body = path.read_bytes()
    packed = gzip.compress(body, mtime=0)  # safe: the same for everybody, and without a secret
    caching = _A_YEAR if name.startswith(_NAMED_BY_CONTENT) else "no-cache"
    headers = {**HEADERS, "Vary": "Accept-Encoding", "Cache-Control": caching}

    async def serve(request: Request) -> Response:
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(body, headers=headers, media_type=kind)
        return Response(packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=kind)

    return serve
