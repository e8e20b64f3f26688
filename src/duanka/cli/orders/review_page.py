"""Pictures of a review: served once from memory over loopback, never on disk."""

from __future__ import annotations

import base64
import hmac
import html
import secrets
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from duanka.domain.text import BilingualText

WAIT_SECONDS = 300.0  # timeout for opening the page
_REQUEST_SECONDS = 10.0
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}
_PAGE = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px sans-serif;margin:16px}}main{{display:flex;gap:16px;flex-wrap:wrap}}
figure{{margin:0;flex:1 1 320px}}img{{width:100%;height:auto}}</style><h1>{title}</h1><main>{figures}</main>
<p>关闭本页后画面不再保留。 / Close this page when you have decided: nothing is kept.</p></html>"""
_FIGURE = (
    '<figure><figcaption>{words}</figcaption><img alt="{words}" src="data:{kind};base64,{data}"></figure>'
)


def show_once(
    title: str,
    pictures: Sequence[tuple[BilingualText, bytes]],
    say: Callable[[str], None],
    seconds: float = WAIT_SECONDS,
) -> bool:
    """Serve a page with the pictures until it has been opened once.

    Returns whether it was opened within `seconds`. `say` receives the address, which has 256 random bits. It
    opens once: another look needs a new command, which adds a row to the audit trail.
    """
    token, seen = secrets.token_urlsafe(32), threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(f"/{token}", _page(title, pictures), seen))
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    serving.start()
    try:
        say(f"http://127.0.0.1:{server.server_address[1]}/{token}")
        return seen.wait(seconds)
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def _page(title: str, pictures: Sequence[tuple[BilingualText, bytes]]) -> bytes:
    figures = (
        _FIGURE.format(
            words=html.escape(f"{words.zh} {words.en}"),
            kind="image/png" if picture.startswith(b"\x89PNG") else "image/jpeg",
            data=base64.b64encode(picture).decode(),
        )
        for words, picture in pictures
    )
    return _PAGE.format(title=html.escape(title), figures="".join(figures)).encode()


def _handler(path: str, page: bytes, seen: threading.Event) -> type[BaseHTTPRequestHandler]:
    once = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        timeout = _REQUEST_SECONDS

        def do_GET(self) -> None:  # name given by http.server
            """Serve the page to the first request with the address."""
            if not hmac.compare_digest(self.path.encode(), path.encode()):
                self.send_error(HTTPStatus.NOT_FOUND)
            elif not once.acquire(blocking=False):
                self.send_error(HTTPStatus.GONE)
            else:
                self._give()
                seen.set()

        def _give(self) -> None:
            self.send_response(HTTPStatus.OK)
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            """Log nothing: the request line contains the address."""

    return Handler
