"""HTTP server of the API: listening socket, number of connections, proxies."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import resource
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from duanka.api.http.client_addresses import TrustedProxies
from duanka.api.http.connections import ConnectionGate, ConnectionLimits, limited_connections
from duanka.api.http.dependencies import Context
from duanka.domain.errors import DuankaError

_MIN_CONNECTIONS = 16  # allowed even if the process may open few files


def make_server(
    api: FastAPI, trusted: TrustedProxies | None = None, limits: ConnectionLimits | None = None
) -> uvicorn.Server:
    """Create a server of `api`; call its `run` with a `listening_socket`.

    At most half of the process's file descriptors are for connections: the worker needs the others.
    """
    trusted, limits = trusted or TrustedProxies(), limits or ConnectionLimits()
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    gate = ConnectionGate(
        dataclasses.replace(limits, total=max(_MIN_CONNECTIONS, min(limits.total, descriptors // 2))), trusted
    )
    return _EndingServer(
        api,
        uvicorn.Config(
            api,
            http=limited_connections(gate),
            ws="none",
            log_level="warning",
            lifespan="off",
            server_header=False,
            proxy_headers=bool(trusted.named),
            forwarded_allow_ips=list(trusted.named),
        ),
    )


class _EndingServer(uvicorn.Server):
    """Tells the API's streams that it stops: they would keep it from stopping."""

    def __init__(self, api: FastAPI, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._context: Context = api.state.context

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, once what is under way is answered."""
        self._context.ending.set()
        await super().shutdown(sockets)


@contextlib.contextmanager
def listening_socket(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a bound socket (port 0: any free one); DuankaError if binding fails."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
    except (socket.gaierror, UnicodeError) as error:
        raise DuankaError(f"--host {host!r} is no address of this machine: {error}") from None
    with socket.socket(family, kind, protocol) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # :: accepts IPv4 too
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            listening.bind(address)
        except OSError as error:
            raise DuankaError(_not_bound(host, port, error)) from error
        yield listening


def server_address(host: str, listening: socket.socket) -> str:
    """Return `host:port` for a URL; an IPv6 address in brackets."""
    port = listening.getsockname()[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _not_bound(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken ({error.strerror}); choose another --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine ({error.strerror}); choose another --host"
    return f"cannot listen at port {port} of {host} ({error.strerror}); choose another --host or --port"
