"""An Arrow IPC stream -> a block of typed columns. What a stranger sends is checked before anything relies on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from duanka.domain.errors import UnreadableInput
from duanka.records import parquet_blocks
from duanka.records.blocks import Block

MAGIC = b"\xff\xff\xff\xff"  # how a stream begins: the mark of its first message


class BrokenStream(Exception):
    """The bytes are no Arrow stream, or one that contradicts itself; the argument says how."""


def blocks_of(data: bytes, number: int, wanted: Sequence[str]) -> list[Block]:
    """Read a whole stream, of its columns the `wanted` ones; every row has the line `number`. Raises BrokenStream."""
    try:
        with pa.ipc.open_stream(pa.py_buffer(data)) as stream:
            names = [name for name in wanted if name in stream.schema.names]
            for name in names:
                if stream.schema.names.count(name) > 1:
                    raise BrokenStream(f"column {name!r} is there twice")
                parquet_blocks.check_type("the stream", name, stream.schema.field(name).type)
            return [_block(batch, number, names) for batch in stream]
    except UnreadableInput as fault:
        raise BrokenStream(str(fault)) from None
    except parquet_blocks.DAMAGE as fault:
        raise BrokenStream(parquet_blocks.first_line(fault)) from None


def _block(batch: Any, number: int, names: Sequence[str]) -> Block:
    batch.validate()
    columns = [_sound(batch.column(name)) for name in names]
    if not columns:
        return Block(pl.DataFrame(height=batch.num_rows), np.full(batch.num_rows, number), batch.num_rows, 0)
    block = parquet_blocks.block_of(pa.RecordBatch.from_arrays(columns, names), 1)
    bad = [one._replace(line=number) for one in block.bad]
    return Block(block.frame, np.full(len(block.lines), number), block.records, 0, bad)


def _sound(column: Any) -> Any:
    """Return a column whose offsets and indices stay inside it; whether text is UTF-8 is asked row by row."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column.validate(full=True)
        return pa.DictionaryArray.from_arrays(column.indices, _sound(column.dictionary))
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        column.validate(full=True)
        return column.cast(pa.large_string())
    if pa.types.is_string(kind):
        column.view(pa.binary()).validate(full=True)
    elif pa.types.is_large_string(kind):
        column.view(pa.large_binary()).validate(full=True)
    else:
        column.validate(full=True)
    return column
