"""What a message holds, read without a server: JSON lines and Arrow, whole, broken and hostile."""

from __future__ import annotations

import json
import struct
from io import BytesIO
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duanka.ingest.formats.arrow_stream import BrokenStream, blocks_of
from duanka.ingest.formats.json_lines import block_of

_CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.integers(-(10**6), 10**6).map(lambda x: x / 4),  # long fractions may differ in their last digit
    st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), _CELLS), min_size=1, max_size=6))
def test_a_line_reads_the_same_alone_and_beside_a_broken_one(rows: list[dict[str, Any]]) -> None:
    texts = [json.dumps(row, ensure_ascii=bool(at % 2)).encode() for at, row in enumerate(rows)]
    together = block_of(texts, range(1, len(texts) + 1), ["a", "b"])
    beside = block_of([*texts, b"{"], range(1, len(texts) + 2), ["a", "b"])
    assert together.frame.equals(beside.frame)
    assert beside.records == len(texts) + 1 == len(beside.lines) + len(beside.bad)


def test_half_a_surrogate_pair_is_no_text() -> None:
    (bad,) = block_of([b'{"a":"x"}', b'{"a":"\\ud800"}'], [1, 2], ["a"]).bad
    assert (bad.line, bad.reason.value) == (2, "broken encoding")


@pytest.mark.parametrize("beside", [b'{"a":"x"}', b"{"])
def test_a_number_with_an_exponent_stays_as_it_was_written(beside: bytes) -> None:
    """Digits may be lost in it: put right, it would be another subscriber's."""
    lines = [b'{"a":8.6138e12}', b'{"a": 13800138000.0}', b'{"a":1E3,"b":[1.5e11]}', beside]
    found = block_of(lines, range(1, 5), ["a"]).frame["a"].to_list()
    assert found[:3] == ["8.6138e12", "13800138000", "1000"]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())]
)
def test_arrow_that_points_outside_itself_is_not_followed(kind: Any) -> None:
    whole = BytesIO()
    column = pa.array(["8613800138000", "8613800138001", "8613800138002"]).cast(kind)
    with pa.ipc.new_stream(whole, pa.schema([("card", kind)])) as stream:
        stream.write_batch(pa.RecordBatch.from_arrays([column], ["card"]))
    assert blocks_of(whole.getvalue(), 1, ["card"])[0].frame.height == 3
    form = "<qqqq" if kind == pa.large_string() else "<iiii"
    inside, outside = struct.pack(form, 0, 13, 26, 39), struct.pack(form, 0, 13, 1 << 29, 39)
    if pa.types.is_dictionary(kind):
        inside, outside = struct.pack("<iii", 0, 1, 2), struct.pack("<iii", 0, 1, 1 << 29)
    assert inside in whole.getvalue()
    with pytest.raises(BrokenStream):
        blocks_of(whole.getvalue().replace(inside, outside), 1, ["card"])
