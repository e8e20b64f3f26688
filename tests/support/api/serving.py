"""An API served as `duanka serve` serves it: its limits of connections, and the proxies that it trusts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from fastapi import FastAPI

from duanka.api.http.client_addresses import TrustedProxies
from duanka.api.http.connections import ConnectionLimits
from duanka.api.server import listening_socket, make_server, server_address
from support.waiting import HANG, until


@contextmanager
def serving(
    api: FastAPI, limits: ConnectionLimits | None = None, trusted: str = "", host: str = "127.0.0.1"
) -> Iterator[str]:
    """The address of `api`, served until the end of the block."""
    with listening_socket(host, 0) as listening:
        server = make_server(api, TrustedProxies(trusted), limits)
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            until(lambda: server.started)
            yield f"http://{server_address(host, listening)}"
        finally:
            server.should_exit = True
            server.force_exit = True
            thread.join(HANG)
