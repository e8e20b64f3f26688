"""Checks of optional parts: fonts of dossiers, NATS and Spark; wait for their greeting only."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from importlib.util import find_spec
from urllib.parse import urlsplit

from duanka.bootstrap.doctor.examination import Finding, Installation, fault, ok, warning
from duanka.domain.errors import DuankaError
from duanka.ledger.pdf import NoChineseFont, font_folders

SECONDS = 3.0
_NATS_PORT, _SPARK_PORT = 4222, 15002
_HTTP2_PREFACE = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
)  # HTTP/2 (RFC 9113): preface, empty SETTINGS
_SETTINGS_FRAME = 0x04  # type of the first frame of an HTTP/2 server


def dossiers(found: Installation) -> Iterator[Finding]:
    """Check that dossiers of clues can be set: typst, and Chinese fonts."""
    del found
    if find_spec("typst") is None:
        yield warning("clues cannot be built: typst is not installed", "`make setup`")
        return
    try:
        folder = font_folders()[0]
    except NoChineseFont:
        yield warning("clues cannot be built: no Chinese font is installed", "`apt install fonts-noto-cjk`")
    else:
        yield ok(f"Chinese fonts in {folder}")


def nats(found: Installation) -> Iterator[Finding]:
    """Check that a JetStream server answers at the address of --nats."""
    if not found.nats:
        yield ok("not asked for (--nats URL)")
        return
    if find_spec("nats") is None:
        yield fault("nats-py is not installed", 'pip install "duanka[live]"')
        return
    for server in found.nats.split(","):
        host, port = _host_and_port(server, _NATS_PORT)
        try:
            with socket.create_connection((host, port), SECONDS) as connection:
                greeting = json.loads(_line(connection).partition(b"INFO ")[2])
        except (OSError, ValueError) as error:
            yield fault(f"{host}:{port}: no NATS server ({_why(error)})", "start it, or check the URL")
            continue
        version = str(greeting.get("version", "?"))[:20]
        if greeting.get("jetstream"):
            yield ok(f"{host}:{port} answers: NATS {version} with JetStream")
        else:
            yield fault(
                f"{host}:{port}: NATS {version} without JetStream", "start nats-server with --jetstream"
            )


def spark(found: Installation) -> Iterator[Finding]:
    """Check that a Spark Connect server answers at DUANKA_REMOTE or --remote."""
    if not found.remote:
        yield ok("not set up (DUANKA_REMOTE): scans run here")
        return
    address, *options = found.remote.split(";")
    if not address.startswith("sc://"):
        yield fault("DUANKA_REMOTE is no address of Spark Connect", "write it like sc://host:15002")
        return
    if find_spec("pyspark") is None:
        yield fault("the client of Spark Connect is not installed", 'pip install "pyspark-client>=4.1"')
        return
    host, port = _host_and_port(address, _SPARK_PORT)
    over_tls = any(one.strip("/").lower() == "use_ssl=true" for one in options)
    try:
        with _connected(host, port, over_tls=over_tls) as connection:
            connection.sendall(_HTTP2_PREFACE)
            answered = connection.recv(9)
    except OSError as error:
        yield fault(
            f"{host}:{port}: no Spark Connect server ({_why(error)})", "start it, or check the address"
        )
        return
    if len(answered) < 9 or answered[3] != _SETTINGS_FRAME:
        yield warning(f"{host}:{port} answers, and not as Spark Connect does", "check port and use_ssl=true")
    else:
        yield ok(f"{host}:{port} answers")


def _connected(host: str, port: int, *, over_tls: bool) -> socket.socket:
    connection = socket.create_connection((host, port), SECONDS)
    if not over_tls:
        return connection
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(connection, server_hostname=host)


def _line(connection: socket.socket) -> bytes:
    said = b""
    while b"\r\n" not in said and len(said) < 65_536:
        block = connection.recv(4096)
        if not block:
            break
        said += block
    return said


def _host_and_port(url: str, usual: int) -> tuple[str, int]:
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        return parts.hostname or "127.0.0.1", parts.port or usual
    except ValueError:  # the message may quote a password
        raise DuankaError(
            "the URL has no host and port; write it like nats://host:4222 or sc://host:15002"
        ) from None


def _why(error: Exception) -> str:
    greeted = "it does not greet as one" if isinstance(error, ValueError) else "silent"
    return getattr(error, "strerror", None) or greeted
