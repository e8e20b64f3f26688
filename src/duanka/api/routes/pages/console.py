"""The console (工作台): the built files of `console/`, served beside the API."""

from __future__ import annotations

import gzip
import mimetypes
from collections.abc import Mapping
from functools import cache
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
    built = {path.relative_to(FILES).as_posix(): path for path in FILES.rglob("*") if path.is_file()}

    async def serve(request: Request) -> Response:
        asked = str(request.path_params.get("view", ""))
        name = asked if asked in built else _FIRST
        if name not in built:
            return Response(_NOT_BUILT, status_code=503, headers=HEADERS, media_type="text/plain")
        body, packed = _read(built[name])
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        caching = _A_YEAR if name.startswith(_NAMED_BY_CONTENT) else "no-cache"
        headers = {**HEADERS, "Vary": "Accept-Encoding", "Cache-Control": caching}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(body, headers=headers, media_type=kind)
        return Response(packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=kind)

    for where in (PATH, f"{PATH}/{{view:path}}"):
        api.add_route(where, serve, methods=["GET"], include_in_schema=False)


@cache
def _read(path: Path) -> tuple[bytes, bytes]:
    """A file as it is and packed: read when it is first asked for, not when an API is made."""
    body = path.read_bytes()
    return body, gzip.compress(body, mtime=0)  # safe: the same for everybody, and without a secret
