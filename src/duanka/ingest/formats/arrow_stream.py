"""Arrow IPC stream to blocks of typed columns; untrusted data is validated first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from duanka.domain.display import first_line
from duanka.domain.errors import UnreadableInput
from duanka.ingest.formats import parquet_reader as parquet_blocks
from duanka.ingest.formats.arrow_bounds import MOST_UNPACKED, OversizedStream, check_stream, text_bytes
from duanka.ingest.model.blocks import Block

MAGIC = b"\xff\xff\xff\xff"  # first bytes of a stream: the continuation marker of its first message


class BrokenStream(Exception):
    """Not an Arrow stream, or an inconsistent one; the argument says how."""


def blocks_of(data: bytes, number: int, wanted: Sequence[str]) -> list[Block]:
    """Read the `wanted` columns of a whole stream; every row gets the line `number`.

    Raises BrokenStream, and OversizedStream before any decompression.
    """
    check_stream(data)
    try:
        with pa.ipc.open_stream(pa.py_buffer(data)) as stream:
            names = [name for name in wanted if name in stream.schema.names]
            for name in names:
                if stream.schema.names.count(name) > 1:
                    raise BrokenStream(f"column {name!r} is there twice")
                parquet_blocks.check_type("the stream", name, stream.schema.field(name).type)
            blocks, text = [], 0
            for batch in stream:
                block, size = _block(batch, number, names)
                blocks.append(block)
                text += size
                if text > MOST_UNPACKED:
                    raise OversizedStream(f"holds more than {MOST_UNPACKED >> 20} MB of text")
            return blocks
    except UnreadableInput as fault:
        raise BrokenStream(str(fault)) from None
    except parquet_blocks.DAMAGE as fault:
        raise BrokenStream(first_line(fault)[:200]) from None


def _block(batch: Any, number: int, names: Sequence[str]) -> tuple[Block, int]:
    """The rows of a batch and the bytes of their text."""
    batch.validate()
    lines = np.full(batch.num_rows, number)
    if not names:
        return Block(pl.DataFrame(height=batch.num_rows), lines, batch.num_rows, 0), 0
    # rows may share text by a dictionary or views, so the full size is checked before it is expanded
    size = sum(text_bytes(_sound(batch.column(name))) for name in names)
    if size > MOST_UNPACKED:
        raise OversizedStream(f"holds more than {MOST_UNPACKED >> 20} MB of text")
    columns = [_plain_text(_sound(batch.column(name))) for name in names]
    block = parquet_blocks.block_of(pa.RecordBatch.from_arrays(columns, names), 1)
    bad = [one._replace(line=number) for one in block.bad]
    return Block(block.frame, np.full(len(block.lines), number), block.records, 0, bad), size


def _plain_text(column: Any) -> Any:
    """Convert views of a valid column to plain text, for polars and validation."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(column.indices, _plain_text(column.dictionary))
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        return column.cast(pa.large_string())
    return column


def _sound(column: Any) -> Any:
    """Validate offsets and indices of a column; UTF-8 is checked later row by row."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column.validate(full=True)
        return pa.DictionaryArray.from_arrays(column.indices, _sound(column.dictionary))
    if pa.types.is_string(kind):
        column.view(pa.binary()).validate(full=True)
    elif pa.types.is_large_string(kind):
        column.view(pa.large_binary()).validate(full=True)
    else:
        column.validate(full=True)
    return column
