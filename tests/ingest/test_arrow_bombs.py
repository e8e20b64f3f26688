"""Arrow streams that unpack to far more than their bytes are refused before anything is unpacked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from duanka.ingest.formats.arrow_bounds import OversizedStream, check_stream, text_bytes
from duanka.ingest.formats.arrow_stream import BrokenStream, blocks_of
from duanka.ingest.live.batch_builder import BatchBuilder
from duanka.ingest.live.nats.messages import ARROW, LINES, Message, Messages
from duanka.ingest.model.holders import Holders
from duanka.ingest.normalise.columns import Tools
from duanka.ingest.normalise.phone_numbers import Numbers
from support.ingest.deliveries import KEY
from support.ingest.landings import aside_of, counted, seconds_of

CALL = b'{"card":"8613800138000","peer":"8613900139000","direction":"out","started_at":"2021-05-17 09:30:00"'


def stream(*columns: Any, names: tuple[str, ...] = ("card",), codec: str | None = "zstd") -> bytes:
    batch = pa.record_batch(list(columns), list(names))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_batch(batch)
    octets: bytes = sink.getvalue().to_pybytes()
    return octets


def empty_texts(rows: int) -> Any:
    offsets = pa.py_buffer(np.zeros(rows + 1, np.int32).tobytes())
    return pa.Array.from_buffers(pa.string(), rows, [None, offsets, pa.py_buffer(b"")])


def one_text_for_all(rows: int, size: int, *, view: bool) -> Any:
    if view:
        one = pa.array(["9" * size], pa.string_view())
        _, views, *texts = one.buffers()
        repeated = pa.py_buffer(views.to_pybytes()[:16] * rows)
        return pa.Array.from_buffers(pa.string_view(), rows, [None, repeated, *texts])
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), ["9" * size])


def claimed_rows() -> bytes:
    """A stream of a column of nothing but nulls, which takes no bytes however many there are."""
    return stream(pa.nulls(2_000_000), codec=None)


BOMBS = {
    "offsets of 40 million empty texts": lambda: stream(empty_texts(40_000_000)),
    "a text of 200 MB": lambda: stream(pa.array(["9" * 200_000_000])),
    "a text of 200 MB in LZ4": lambda: stream(pa.array(["9" * 200_000_000]), codec="lz4"),
    "a dictionary of 200 MB": lambda: stream(one_text_for_all(1, 200_000_000, view=False)),
    "a column that nobody asks for": lambda: stream(
        pa.array(["1"]), pa.array(["9" * 200_000_000]), names=("card", "other")
    ),
    "one text for 100,000 rows": lambda: stream(one_text_for_all(100_000, 100_000, view=False)),
    "one view for 100,000 rows": lambda: stream(one_text_for_all(100_000, 100_000, view=True)),
    "rows that take no bytes": claimed_rows,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_before_it_is_unpacked(bomb: str) -> None:
    data = BOMBS[bomb]()
    assert len(data) < 1 << 20
    pool = pa.default_memory_pool()
    pool.release_unused()
    before = pool.bytes_allocated()
    proxy = pa.proxy_memory_pool(pool)
    pa.set_memory_pool(proxy)
    try:
        with pytest.raises(OversizedStream):
            blocks_of(data, 1, ["card", "peer"])
        assert proxy.max_memory() - before < 20 << 20
    finally:
        pa.set_memory_pool(pool)


@pytest.mark.parametrize("codec", [None, "zstd", "lz4"])
def test_what_records_take_is_read(codec: str | None) -> None:
    cards = [f"86138{number:08}" for number in range(50_000)]
    (block,) = blocks_of(stream(pa.array(cards), codec=codec), 1, ["card"])
    assert block.frame["card"].to_list() == cards
    shared = pa.DictionaryArray.from_arrays(pa.array([0, None, 1], pa.int8()), ["a", "bc"])
    (block,) = blocks_of(stream(shared, codec=codec), 1, ["card"])
    assert block.frame["card"].to_list() == ["a", None, "bc"]
    views = pa.array(["short", None, "longer than twelve bytes"], pa.string_view())
    (block,) = blocks_of(stream(views[1:], codec=codec), 1, ["card"])
    assert block.frame["card"].to_list() == [None, "longer than twelve bytes"]


@pytest.mark.parametrize(
    ("column", "size"),
    [
        (pa.array(["ab", None, "c"]), 3),
        (pa.array(["ab", None, "c"], pa.large_string())[1:], 1),
        (pa.array(["ab", None, "c" * 40], pa.string_view()), 42),
        (pa.array([b"ab"], pa.binary()), 2),
        (pa.DictionaryArray.from_arrays(pa.array([0, 0, None], pa.int64()), ["abc"]), 6),
        (pa.array([1, 2]), 0),
        (pa.DictionaryArray.from_arrays(pa.array([0, 0]), pa.array([5])), 0),
    ],
)
def test_the_bytes_of_a_text_are_those_of_each_row(column: Any, size: int) -> None:
    assert text_bytes(column) == size


def test_what_is_no_stream_is_left_to_its_reader() -> None:
    whole = stream(pa.array(["1"]))
    for at in range(len(whole)):
        check_stream(whole[:at])
        with suppress(OversizedStream):  # or it claims more than it has
            check_stream(whole[:at] + b"\xff" + whole[at + 1 :])


def test_a_bomb_among_messages_stops_itself_alone() -> None:
    tools = Tools("Asia/Shanghai", Numbers("CN"), Holders(KEY))
    with ThreadPoolExecutor(1) as pool:
        messages = Messages("nats:x", "duanka.records.>", tools, pool)
        subject = "duanka.records.calls"
        bombs = {20: (ARROW, BOMBS["offsets of 40 million empty texts"]()), 40: (LINES, b"\n" * 1_000_000)}
        for number in range(100):
            kind, data = bombs.get(number, ("", CALL + b',"seconds":%d}' % number))
            messages.add(Message(number + 1, subject, kind, data))
        pile = BatchBuilder(1_000, 60)
        messages.move_to(pile)
    batch = pile.batch()
    assert counted([batch])
    assert seconds_of([batch]) == [number for number in range(100) if number not in bombs]
    assert [(one.line, one.reason) for one in aside_of([batch])] == [
        (21, "beyond the limits of intake"),
        (41, "beyond the limits of intake"),
    ]


def test_a_type_that_unfolds_is_not_read() -> None:
    column = pa.RunEndEncodedArray.from_arrays(pa.array([1_000_000], pa.int32()), pa.array(["9" * 1_000]))
    with pytest.raises(BrokenStream, match="which no mapping can read"):
        blocks_of(stream(column, codec=None), 1, ["card"])
