"""One poisoned message among a hundred: the others are read, and it is set aside or read as what it can be."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from duanka.domain.streaming import Batch
from duanka.ingest.live.nats import session as bus_reader
from duanka.ingest.live.nats.client import TolerantClient
from support.buses import STREAM, Server, bus
from support.ingest.landings import aside_of, counted, running, seconds_of, sources_of
from support.ingest.landings import until as taken_until
from support.waiting import HANG, until

ARROW = b"Content-Type: application/vnd.apache.arrow.stream\r\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    one = Server(tmp_path / "store", "-c", str(_allowing(tmp_path)))
    one.start()
    try:
        one.make()
        yield one
    finally:
        one.end()


def _allowing(folder: Path) -> Path:
    """Settings of a server that takes longer subjects and larger messages than usual."""
    file = folder / "server.conf"
    file.write_text("max_payload: 8MB\nmax_control_line: 64KB\n")
    return file


def call(seconds: int) -> bytes:
    row = {"card": "8613800138000", "peer": "8613900139000", "direction": "out"}
    return json.dumps({**row, "started_at": "2021-05-17 09:30:00", "seconds": seconds}).encode()


class Raw:
    """A connection that publishes what no client library lets through."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), HANG)
        self._file = self._socket.makefile("rb")
        self._file.readline()
        self._socket.sendall(b'CONNECT {"verbose":false,"headers":true}\r\n')

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def publish(self, subject: bytes, body: bytes, headers: bytes | None = None) -> None:
        """Returns when the server has read it."""
        if headers is None:
            line = b"PUB %b %d\r\n" % (subject, len(body))
        else:
            headers = b"NATS/1.0" + headers + b"\r\n\r\n"
            line = b"HPUB %b %d %d\r\n" % (subject, len(headers), len(headers) + len(body))
        self._socket.sendall(line + (headers or b"") + body + b"\r\nPING\r\n")
        assert self._file.readline() == b"PONG\r\n"


CALLS = b"duanka.records.calls"
GOOD = call(999)
# Subject, body, headers; whether the record of the message is read all the same.
POISONS: dict[str, tuple[bytes, bytes, bytes | None, bool]] = {
    "subject that is no UTF-8": (b"duanka.records.\xff\xfe.calls", GOOD, None, True),
    "subject in GBK": (b"duanka.records." + "话单".encode("gbk") + b".calls", GOOD, None, True),
    "subject with control characters": (b"duanka.records.a\x01\x1b[2J\x0bb\x0c.calls", GOOD, None, True),
    "subject with a NUL": (b"duanka.records.a\0b.calls", GOOD, None, True),
    "subject of 20,000 bytes": (b"duanka.records." + b"x" * 20_000 + b".calls", GOOD, None, True),
    "subject of 4,000 parts": (b"duanka.records." + b"x." * 4_000 + b"calls", GOOD, None, True),
    "table that is no UTF-8": (b"duanka.records.\xff\xfe", GOOD, None, False),
    "no such table": (b"duanka.records.nothing", GOOD, None, False),
    "headers that are no UTF-8": (CALLS, GOOD, b"\r\nContent-Type\xff: \xff\xfe", True),
    "headers without a colon": (CALLS, GOOD, b"\r\nrubbish", True),
    "a status that is no UTF-8": (CALLS, GOOD, b" \xff\xfe\xfd \xff", True),
    "a status": (CALLS, GOOD, b" 503 No Responders", True),
    "a flow control status": (CALLS, GOOD, b" 100 FlowControl Request", True),
    "headers as long as a stream takes": (CALLS, GOOD, b"\r\nX: " + b"y" * 65_000, True),
    "5,000 headers": (CALLS, GOOD, b"".join(b"\r\nX-%d: y" % n for n in range(5_000)), True),
    "nothing": (CALLS, b"", None, False),
    "deep JSON": (CALLS, b'{"card":' + b"[" * 200_000 + b"]" * 200_000 + b"}", None, False),
    "half a surrogate pair": (CALLS, b'{"card":"\\ud800"}', None, False),
    "a number of 900,000 digits": (CALLS, b'{"card":' + b"9" * 900_000 + b"}", None, False),
    "a number beyond all floats": (CALLS, GOOD.replace(b"999", b"1e999"), None, False),
    "Arrow that claims what it has not": (CALLS, b"\xff" * 7 + b"\x7f" + b"A" * 100, b"\r\n" + ARROW, False),
}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
def test_one_poisoned_message_among_a_hundred(
    server: Server, poison: tuple[bytes, bytes, bytes | None, bool]
) -> None:
    subject, body, headers, is_read = poison
    with Raw(server) as raw:
        for number in range(100):
            if number == 50:
                raw.publish(subject, body, headers)
            else:
                raw.publish(CALLS, call(number))
    batches: list[Batch] = []
    feed = bus(server, wait=True, batch_seconds=0.1)
    with running(feed) as coming:
        batches += taken_until(coming, 100)
        feed.settled({f"nats:{STREAM}": 100})
        until(lambda: server.consumer().ack_floor.stream_seq == 100)
    assert counted(batches)
    good = [*range(50), *range(51, 100)]
    assert sorted(seconds_of(batches)) == (sorted([*good, 999]) if is_read else good)
    assert [record.line for record in aside_of(batches)] == ([] if is_read else [51])
    for name, _ in sources_of(batches):
        assert name.isprintable()


def test_a_subject_that_is_no_text_names_its_source_escaped(server: Server) -> None:
    with Raw(server) as raw:
        raw.publish(b"duanka.records.\xff.calls", call(1))
    assert sources_of(bus(server).batches({})) == {(r"\xff/calls", "calls")}


def test_a_client_that_breaks_is_replaced(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    build = TolerantClient._build_message
    broken: list[int] = []

    def once_broken(self: TolerantClient, sid: int, subject: bytes, *rest: object) -> object:
        if subject == CALLS and len(broken) < 2:
            broken.append(sid)
            raise ValueError("nobody foresaw it")
        return build(self, sid, subject, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(TolerantClient, "_build_message", once_broken)
    monkeypatch.setattr(bus_reader, "_ANEW", 0.01)
    server.publish([call(1), call(2)])
    with running(bus(server, wait=True, batch_seconds=0.1)) as batches:
        assert seconds_of(taken_until(batches, 2)) == [1, 2]
    assert len(broken) == 2
    assert "it connects anew" in caplog.text


def test_how_long_nothing_moves_is_known(server: Server) -> None:
    server.publish([call(1)])
    feed = bus(server, wait=True, batch_seconds=0.1)
    with running(feed) as batches:
        assert seconds_of(taken_until(batches, 1)) == [1]
        assert feed.waiting().stalled < 30
        server.end()
        until(lambda: feed.waiting().stalled > 2)
        server.start()
        server.publish([call(2)])
        assert seconds_of(taken_until(batches, 1)) == [2]
        assert feed.waiting().stalled < 2
