"""Minimal HTTP server in a thread: GET and HEAD of fixed pages.

The server of prometheus_client has no time limit for requests, serves metrics at every path and nothing else,
and looks up our own host name at the start.
"""

from __future__ import annotations

import socket
import socketserver
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

from duanka.domain.errors import DuankaError

_REQUEST_SECONDS = 10.0  # seconds that a client may take for its request
_POLL_SECONDS = 0.1  # polling interval (s) of the server thread for `close`


@dataclass(frozen=True)
class PageResponse:
    """An HTTP response."""

    status: HTTPStatus
    kind: str
    body: bytes


Page = Callable[[str], PageResponse]
"""Renders a page for the value of the client's Accept header."""


class Pages:
    """Serves path -> page on `host`:`port` once created; port 0: a free one. DuankaError."""

    def __init__(self, pages: Mapping[str, Page], host: str, port: int) -> None:
        try:
            self._server = _server(pages, host, port)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise DuankaError(
                f"metrics cannot be served on {host} port {port} ({why}); choose another port, or 0 for a free one"
            ) from error
        self.host, self.port = host, int(self._server.server_address[1])
        self._thread = Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="duanka-telemetry", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and release the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _server(pages: Mapping[str, Page], host: str, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = _REQUEST_SECONDS
        server_version, sys_version = "duanka", ""

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def _answer(self, *, body: bool) -> None:
            page = pages.get(urlsplit(self.path).path)
            if page is None:
                known = ", ".join(pages)
                answer = PageResponse(HTTPStatus.NOT_FOUND, "text/plain", f"here are {known}\n".encode())
            else:
                answer = page(self.headers.get("Accept", ""))
            with suppress(ConnectionError, TimeoutError):  # the client disconnected
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.kind)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                if body:
                    self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            """Do nothing: scrapes every few seconds are not logged."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True  # a hanging client does not keep the process alive

        def server_bind(
            self,
        ) -> None:  # that of the base class looks up our own host name, which may take long
            socketserver.TCPServer.server_bind(self)

    return Server((host, port), Handler)
