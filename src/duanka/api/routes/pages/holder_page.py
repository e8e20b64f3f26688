"""The holder's page, opened by the link in a notice: static files beside the API."""

from __future__ import annotations

import gzip
import html
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from duanka.domain.order_policy import OrderPolicy

FILES = Path(__file__).parents[2] / "holder_page"
PATH = "/v"
_FIRST = "index.html"
_FILES: Mapping[str, str] = {
    _FIRST: "text/html",
    "page.css": "text/css",
    "words.js": "text/javascript",
    "camera.js": "text/javascript",
    "sending.js": "text/javascript",
    "unlinked.js": "text/javascript",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self'; media-src blob: 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def add_page(api: FastAPI, policy: OrderPolicy) -> None:
    """Serve the page, filled with the operator's texts that need no link or script."""
    told = {
        "operator_zh": policy.operator.zh,
        "operator_en": policy.operator.en,
        "counter_zh": policy.counter.zh,
        "counter_en": policy.counter.en,
        "papers_zh": policy.papers.zh,
        "papers_en": policy.papers.en,
        "hotline": policy.hotline,
        "short_code": policy.short_code,
    }
    for name, kind in _FILES.items():
        path = PATH if name == _FIRST else f"{PATH}/{name}"
        text = (FILES / name).read_text(encoding="utf-8")
        text = _compact(text) if kind == "text/javascript" else text
        if name == _FIRST:
            for field, words in told.items():
                text = text.replace("{{" + field + "}}", html.escape(words))
        # a Starlette route, without `only_described`: phones may add `?from=…` to the link
        api.add_route(path, _serving(text, kind), methods=["GET"], include_in_schema=False)
    api.add_route("/", _to_the_page, methods=["GET"], include_in_schema=False)


async def _to_the_page(request: Request) -> Response:
    """Who types the address of a notice, which is told in words, does not type its path."""
    del request
    return Response(status_code=308, headers={**HEADERS, "Location": PATH.lstrip("/")})


def _compact(script: str) -> str:
    """Remove indentation and comment lines; no string literal in ours spans lines."""
    lines = (line.strip() for line in script.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _serving(text: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    body = text.encode()
    packed = gzip.compress(body, mtime=0)  # safe: the page is the same for everybody and holds no secret

    async def serve(request: Request) -> Response:
        headers = {**HEADERS, "Vary": "Accept-Encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(body, headers=headers, media_type=kind)
        return Response(packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=kind)

    return serve
