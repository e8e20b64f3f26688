"""Live intake from NATS, with a real server: what comes out of it, and that nothing is lost or comes twice."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import random
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from duanka.domain.errors import DuankaError
from duanka.domain.schema import TABLES
from duanka.domain.streaming import Batch
from duanka.ingest.live.nats.config import BusAddress
from duanka.ingest.live.nats.feed import Bus
from duanka.ingest.live.nats.session import BusSession
from support import waiting
from support.buses import STREAM, Sent, Server, arrow, bus, lines
from support.ingest.deliveries import KEY
from support.ingest.landings import (
    aside_of,
    calls,
    counted,
    drained,
    positions_of,
    put,
    reasons_of,
    rows_of,
    running,
    seconds_of,
    sources_of,
    until,
)

ORIGIN = f"nats:{STREAM}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    one = Server(tmp_path / "store")
    one.start()
    try:
        one.make()
        yield one
    finally:
        one.end()


def call(seconds: int, **fields: Any) -> bytes:
    whole: dict[str, Any] = {"card": "8613800138000", "peer": "8613900139000", "direction": "out"}
    whole |= {"started_at": "2021-05-17 09:30:00", "seconds": seconds, **fields}
    return json.dumps(whole).encode()


def all_of(server: Server, done: dict[str, int] | None = None, **options: Any) -> list[Batch]:
    got = list(bus(server, **options).batches(done or {}))
    assert counted(got)
    return got


def test_json_and_arrow_give_the_rows_of_the_csv(server: Server, tmp_path: Path) -> None:
    text = (
        calls(range(300)).replace(",7\n", ",\n").replace("out,2021-05-17 09:30:00,9\n", "up,2021-05-17,9\n")
    )
    put(tmp_path, "in/calls.csv", text)
    csv = drained(tmp_path / "in")
    texts = pl.read_csv(text.encode(), infer_schema=False)
    typed = pl.read_csv(text.encode(), infer_schema_length=None).with_columns(pl.col("card").cast(str), zz=1)
    for content in (
        [Sent(lines(texts), headers={"Content-Type": "application/x-ndjson"})],
        [Sent(lines(typed))],
        [Sent(row) for row in lines(typed).splitlines()],
        [Sent(arrow(texts))],
        [Sent(arrow(typed), headers={"content-type": "application/vnd.apache.arrow.stream"})],
        [
            Sent(arrow(some, compat_level=pl.CompatLevel.oldest(), compression="zstd"))
            for some in typed.iter_slices(7)
        ],
        [Sent(arrow(texts.with_columns(pl.col("peer", "direction").cast(pl.Categorical))))],
    ):
        before = server.do(lambda client: client.jsm().stream_info(STREAM)).state.last_seq
        server.publish(content)
        got = all_of(server, {ORIGIN: before})
        assert rows_of(got).drop("line").equals(rows_of(csv).drop("line"))
        assert reasons_of(got) == reasons_of(csv) == ["unknown direction"]
        assert rows_of(got)["line"].min() == before + 1
        assert positions_of(got) == {ORIGIN: before + len(content)}


def test_the_subject_says_table_and_source(server: Server) -> None:
    for subject in ("calls", "msc-2.calls", "hebei.msc-2.calls"):
        server.publish([Sent(call(1), f"duanka.records.{subject}")])
    for name in TABLES:
        server.publish([Sent(b"{}", f"duanka.records.x.{name}")])
    server.publish([Sent(call(1), "duanka.records.x.cals")])
    got = all_of(server)
    assert sources_of(got) == {(source, "calls") for source in ("calls", "msc-2/calls", "hebei/msc-2/calls")}
    last = aside_of(got)[-1]
    assert (last.file, last.line, last.column, last.reason) == (
        ORIGIN,
        4 + len(TABLES),
        "",
        "no table for this row",
    )
    assert json.loads(last.raw)["seconds"] == 1
    assert reasons_of(got).count("required value missing") == len(TABLES)


def test_a_message_of_many_records_is_never_split(server: Server) -> None:
    server.publish([b"\n".join(call(at) for at in range(n * 10, n * 10 + 10)) for n in range(5)])
    got = all_of(server, batch_records=15)
    assert [b.records for b in got] == [20, 20, 10]
    assert [b.positions[ORIGIN] for b in got] == [2, 4, 5]
    assert sorted(seconds_of(got)) == list(range(50))


BROKEN = {
    b"": "empty line",
    b"\n\n": "empty line",
    b"card,peer\n": "no JSON object",
    b"[1]": "no JSON object",
    b"3": "no JSON object",
    b'{"card":"1"': "no JSON object",
    b'{"card":NaN}': "no JSON object",
    b'{"card":"1"} x': "no JSON object",
    b"[" * 50_000: "no JSON object",
    b'{"card":"\xff"}': "broken encoding",
    b'{"card":"\\ud800"}': "broken encoding",
    b"x" * 70_000: "line too long",
    b"{}": "required value missing",
    b"\xff\xff\xff\xff": "unreadable Arrow stream",
    b"\xff\xff\xff\xff\x10\x00\x00\x00 not Arrow": "unreadable Arrow stream",
}


def test_what_is_broken_is_set_aside_and_the_rest_goes_on(server: Server) -> None:
    whole = arrow(pl.DataFrame({"card": ["8613800138000"], "seconds": [1]}))
    nested = arrow(pl.DataFrame({"card": [["8613800138000"]]}))
    broken = {
        **BROKEN,
        whole[: len(whole) // 2]: "unreadable Arrow stream",
        nested: "unreadable Arrow stream",
    }
    server.publish(itertools.chain.from_iterable((data, call(at)) for at, data in enumerate(broken)))
    got = all_of(server)
    assert seconds_of(got) == list(range(len(broken)))
    told = {a.line: a.reason for a in aside_of(got)}
    assert [told[2 * at + 1] for at in range(len(broken))] == list(broken.values())
    assert all(len(a.raw) <= 10_000 for a in aside_of(got))


def test_broken_lines_among_good_ones_in_a_message(server: Server) -> None:
    mixed = [call(at) if at % 100 else b"{broken" for at in range(2_000)]
    server.publish([b"\r\n".join([*mixed, b""])])
    got = all_of(server)
    assert seconds_of(got) == [at for at in range(2_000) if at % 100]
    assert reasons_of(got) == ["no JSON object"] * 20


def test_a_thousand_random_payloads(server: Server) -> None:
    """Whatever comes, every message is accounted for and the good ones are used."""
    chance = random.Random(7)
    whole = [arrow(pl.DataFrame(json.loads(call(1)) | {"seconds": range(20)})), b"\n".join([call(1)] * 20)]

    def payload() -> bytes:
        some = bytearray(chance.choice(whole))
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(some))
            match chance.randrange(3):
                case 0:
                    some[at] = chance.randrange(256)
                case 1:
                    del some[at : at + chance.randrange(40)]
                case _:
                    some[at:at] = chance.randbytes(chance.randrange(9))
            some = some or bytearray(b" ")
        return bytes(some)

    def sent() -> Iterator[Sent]:
        kinds = [
            None,
            {"Content-Type": "application/vnd.apache.arrow.stream"},
            {"Content-Type": "text/plain"},
        ]
        for at in range(1_000):
            yield Sent(payload(), headers=chance.choice(kinds))
            if at % 100 == 0:
                yield Sent(call(1_000_000 + at), "duanka.records.good.calls")

    server.publish(sent())
    got = all_of(server, batch_records=500)
    assert positions_of(got) == {ORIGIN: 1_010}
    seen = {a.line for a in aside_of(got)} | set(rows_of(got)["line"].to_list())
    # An Arrow stream without rows and one cut before its first row hold no record; all others left a trace.
    assert len(seen) > 950
    good = [p for b in got for p in b.pieces if p.source == "good/calls"]
    assert sum(pl.DataFrame(p.rows).height for p in good) == 10


def _acknowledged(server: Server, upto: int) -> bool:
    return bool(server.consumer().ack_floor.stream_seq >= upto)


def test_a_restart_after_any_batch_gives_every_row_once(server: Server) -> None:
    server.publish(b"\n".join(call(at) for at in range(n * 10, n * 10 + n)) for n in range(1, 10))
    expected = sorted(seconds_of(all_of(server)))
    done: dict[str, int] = {}
    got: list[Batch] = []
    for size in (1, 3, 1, 7, 2, 100):
        feed = bus(server, wait=True, batch_records=size, batch_seconds=0.2)
        with running(feed, done) as batches:
            got += until(batches, 1)[-1:]
            done = positions_of(got)
            if size % 2:
                feed.settled(done)  # else the process died between commit and acknowledgement
                waiting.until(partial(_acknowledged, server, done[ORIGIN]))
    assert sorted(seconds_of(got)) == expected
    assert done == {ORIGIN: 9}


def test_acknowledged_is_what_is_committed_and_no_more(server: Server) -> None:
    server.publish(call(at) for at in range(30))
    feed = bus(server, wait=True, batch_records=10, batch_seconds=5)  # full, however slow we are
    with running(feed) as batches:
        first, _ = next(batches), next(batches)
        time.sleep(0.6)
        assert server.consumer().ack_floor.stream_seq == 0
        feed.settled(first.positions)
        waiting.until(lambda: server.consumer().ack_floor.stream_seq == 10)
        assert server.consumer().num_ack_pending == 20


def test_messages_sent_again_are_known(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("duanka.ingest.live.nats.session._ACKNOWLEDGE_SECONDS", 0.3)
    server.publish(call(at) for at in range(50))
    feed = bus(server, wait=True, batch_records=20, batch_seconds=0.1)
    with running(feed) as batches:
        got = until(batches, 50)
        while not server.consumer().num_redelivered:
            got.append(next(batches))
        feed.settled(positions_of(got))
        waiting.until(lambda: next(batches).records == 0 and server.consumer().num_ack_pending == 0)
    assert seconds_of(got) == list(range(50))


def _made_anew(server: Server, begin: int) -> None:
    """Another run under the same name puts its consumer in the place of ours."""

    async def work(client: Any) -> None:
        manager = client.jsm(timeout=waiting.HANG)
        await manager.delete_consumer(STREAM, "duanka")
        theirs = ConsumerConfig(
            durable_name="duanka",
            ack_policy=AckPolicy.ALL,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=begin,
        )
        await manager.add_consumer(STREAM, theirs)

    server.do(work)


def test_another_reader_of_our_name_makes_nobody_lose_a_message(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with running(bus(server, wait=True, batch_records=10, batch_seconds=0.1)) as batches:
        got = [next(batches)]  # it has its consumer
        waiting.until(lambda: next(batches).records == 0 and _has_consumer(server))
        for begin in (6, 16):
            _made_anew(server, begin)  # its first delivery has the number that ours would have
            server.publish(call(at) for at in range(begin - 6, begin + 4))
            got += until(batches, 10)
    assert seconds_of(got) == list(range(20))
    assert caplog.text.count("another run reads stream RECORDS under the name duanka") == 1


def _has_consumer(server: Server) -> bool:
    with suppress(NotFoundError):
        return bool(server.consumer())
    return False


def test_reading_ends_though_it_is_told_so_as_an_answer_comes(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`asyncio.wait_for` of Python 3.11 loses a cancellation when what it waits for comes at the same moment."""
    asked = threading.Event()

    async def glance(_: BusSession, client: object) -> None:
        asked.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    monkeypatch.setattr(BusSession, "_glance", glance)  # only what looks on asks, as the feed waits for more
    server.publish([call(1)])
    with running(bus(server, wait=True)) as batches:
        assert seconds_of(until(batches, 1)) == [1]
        waiting.until(asked.is_set)
    assert "reading does not end" not in caplog.text


def test_a_bounded_number_of_messages_is_out(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.publish(call(at) for at in range(400))
    monkeypatch.setattr("duanka.ingest.live.nats.feed._MIN_HELD_MESSAGES", 60)
    feed = bus(server, wait=True, batch_records=10, batch_seconds=0.1)
    with running(feed) as batches:
        got = [next(batches)]
        waiting.until(lambda: server.consumer().num_ack_pending == 60)  # as many as may be, and no more
        assert server.consumer().num_ack_pending == 60
        waiting.until(lambda: feed.waiting().pieces >= 340)
        while sum(b.records for b in got) < 400:
            feed.settled(positions_of(got))
            got.append(next(batches))
        waiting.until(lambda: feed.waiting().pieces == 0)
    assert seconds_of(got) == list(range(400))


def test_what_was_there_at_the_start_is_known_only_from_the_server(server: Server) -> None:
    """Also where the last messages of the stream are of a subject that nobody asked for."""
    server.publish([Sent(call(1)), Sent(call(2)), Sent(b"x", "duanka.records.calls.elsewhere")])
    feed = bus(server, wait=True, subject="duanka.records.calls")
    assert feed.waiting().backlog is None
    with running(feed) as batches:
        assert seconds_of(until(batches, 2)) == [1, 2]
        waiting.until(lambda: feed.waiting().backlog == 0)


def test_the_publisher_may_say_it_twice(server: Server) -> None:
    server.publish(Sent(call(at), headers={"Nats-Msg-Id": str(at)}) for at in [0, 1, 1, 2, 0])
    assert seconds_of(all_of(server)) == [0, 1, 2]


def test_a_server_that_is_killed_and_comes_back(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.publish(call(at) for at in range(100))
    feed = bus(server, wait=True, batch_records=30, batch_seconds=0.2)
    with running(feed) as batches:
        got = [next(batches)]
        feed.settled(got[0].positions)
        server.end(signal.SIGKILL)
        while got[-1].records:  # what was read ahead, and then nothing
            got.append(next(batches))
        server.start()
        server.publish(call(at) for at in range(100, 200))
        got += until(batches, 200 - sum(b.records for b in got))
        feed.settled(positions_of(got))
    assert seconds_of(got) == list(range(200))
    assert "is gone" in caplog.text
    assert "is back" in caplog.text


def test_a_lost_delivery_is_asked_for_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages that the server sent and that never arrived: those behind them must not move the position over them."""
    from duanka.ingest.live.nats import session as bus_reader

    fetch = bus_reader.BusSession._fetch
    dropped: list[Any] = []

    async def losing(session: Any, pulling: Any) -> list[Any]:
        messages = await fetch(session, pulling)
        if len(dropped) < 3 and len(messages) > 5:
            dropped.append(messages.pop(3))
        return messages

    monkeypatch.setattr(bus_reader.BusSession, "_fetch", losing)
    server.publish(call(at) for at in range(200))
    assert seconds_of(all_of(server, batch_records=20)) == list(range(200))
    assert len(dropped) == 3


def read_on(bus: Bus) -> None:
    """Read until the bus raises: before that, empty batches mark the passage of time."""
    deque(islice(bus.batches({}), 200), maxlen=0)


def test_no_server(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(
        DuankaError, match=r"no NATS server at nats://127.0.0.1:1: .*; start it, or check the URL"
    ) as told:
        read_on(Bus("nats://me:geheim@127.0.0.1:1", STREAM))
    assert "geheim" not in str(told.value) + caplog.text


def test_a_wrong_password_is_told_and_never_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    one = Server(tmp_path / "store", "--user", "duanka", "--pass", "richtig")
    one.start()
    try:
        asked = Bus(one.url.replace("//", "//duanka:geheim@"), STREAM)
        with pytest.raises(DuankaError, match=r"(?i)authorization") as told:
            read_on(asked)
        url = one.url.replace("//", "//duanka:richtig@")
        with pytest.raises(DuankaError, match="no stream RECORDS"):  # it is let in
            read_on(Bus(url, STREAM))
    finally:
        one.end()
    assert not {"geheim", "richtig"} & set(str(told.value).split())
    assert "geheim" not in caplog.text + str(told.value)
    assert "richtig" not in caplog.text


def test_a_server_that_hangs_up_instead_of_an_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("duanka.ingest.live.nats.session._CONNECT", 1.5)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            with suppress(OSError):
                while True:
                    with listening.accept()[0] as connection:
                        connection.sendall(
                            b'INFO {"server_id":"x","version":"2.10.0","max_payload":1048576}\r\n'
                        )
                        connection.recv(1 << 16)

        threading.Thread(target=hang_up, daemon=True).start()
        try:
            with pytest.raises(DuankaError, match=r"hung up|reset"):
                read_on(Bus(f"nats://127.0.0.1:{listening.getsockname()[1]}", STREAM))
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def test_streams_that_cannot_be_read(server: Server) -> None:
    with pytest.raises(
        DuankaError, match=r"no stream OTHER at nats://127.0.0.1:\d+; make it there, or check"
    ):
        read_on(Bus(server.url, "OTHER"))
    with pytest.raises(DuankaError, match="stream RECORDS ends at message 0, but 7 were read of it"):
        all_of(server, {ORIGIN: 7})
    server.do(lambda c: c.jsm().add_stream(name="WORK", subjects=["work.>"], retention="workqueue"))
    with pytest.raises(DuankaError, match="stream WORK drops messages by workqueue"):
        read_on(Bus(server.url, "WORK", "work.>"))


def test_a_document_number_without_a_key_stops_its_own_record_alone(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    card = b'{"card":"8613800138000","holder":"110101199003074514"}'
    server.publish([Sent(card, "duanka.records.cards"), Sent(b'{"card":"x",', "duanka.records.cards")])
    server.publish([Sent(b'{"card":"8613800138001","holder":"a1b2"}', "duanka.records.cards")])
    without = all_of(server)
    assert rows_of(without, "cards")["holder"].to_list() == ["a1b2"]
    assert sorted((a.line, a.reason) for a in aside_of(without)) == [
        (1, "no key for document numbers"),
        (2, "no JSON object"),
    ]
    assert "nats:RECORDS, column 'holder' carries document numbers" in caplog.text
    assert "110101" not in caplog.text + str(aside_of(without))
    got = all_of(server, holder_key=KEY)
    assert len(rows_of(got, "cards")["holder"][0]) == 64
    assert aside_of(got)[0].raw.startswith("<withheld")


def test_without_nats_py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nats", None)
    with pytest.raises(DuankaError, match=r'reading messages needs nats-py: pip install "duanka\[live\]"'):
        Bus("nats://127.0.0.1:4222", STREAM)


def test_where_the_servers_are(tmp_path: Path) -> None:
    several = BusAddress("nats://token@a:1, tls://me:geheim@b:2,c:3")
    assert str(several) == "nats://a:1,tls://b:2,nats://c:3"
    with pytest.raises(DuankaError, match=r"no.creds: no such file; it is needed to enter nats://a:1"):
        BusAddress("nats://x@a:1", credentials=tmp_path / "no.creds").check()
