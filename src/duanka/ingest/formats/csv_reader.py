"""CSV reader in blocks of whole lines, compressed or not: one record is one line.

The fast path passes a block to Arrow unchanged. Line numbers are computed by counting, so the result is accepted only
if it has as many rows as the block has lines. Otherwise the block is split into smaller and smaller pieces, and the
few lines around the fault are parsed one by one to separate good from bad ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv

from duanka.ingest.files.beginnings import Extent, Stretch, Track
from duanka.ingest.files.limits import BLOCK_LINES, LINE_LIMIT, LONGEST_LINE
from duanka.ingest.formats.csv_header import BOM, Head, head_of, split
from duanka.ingest.formats.unpacked import Unpacked
from duanka.ingest.model.blocks import (
    Block,
    OpenReader,
    ParsedRecords,
    Rejected,
    Rows,
    parse_in_pieces,
    raw_text,
    text_frame,
    without_rows,
)
from duanka.ingest.model.mapping import Layout
from duanka.ingest.model.reasons import QuarantineReason

BLOCK_BYTES = 1 << 24
_EMPTY_LINES_BYTES = 1 << 22  # maximum bytes of empty lines held back, as they may end the file
_CHUNK_BYTES = 1 << 20  # bytes of a chunk that Arrow parses on one core


class CsvReading(OpenReader):
    """One CSV file. Raises UnreadableInput when its header line is not text."""

    def __init__(
        self, path: Path, layout: Layout, root: Path | None = None, extent: Extent | None = None
    ) -> None:
        self._path = path
        self._root = root
        self._layout = layout
        self._head = Head()
        self._extent = extent or Extent()
        with Unpacked(path, root, self._extent.size) as data:
            self._look_at(data)
            if extent is not None and data.plain is not None and self.columns:
                self.track = Track(path, root)
                if extent.behind is not None:
                    data.plain.seek(0)
                    self.track.resume(data.plain, extent.behind)

    def _look_at(self, data: Unpacked) -> None:
        start = data.read(LINE_LIMIT)
        if start.startswith(BOM) and self._layout.encoding != "utf-8":
            self._layout = replace(self._layout, encoding="utf-8")  # declared by the byte order mark
        whole = len(start) < LINE_LIMIT and not data.broken and not data.read(1)
        self._head = head_of(self._path, start, self._layout, whole=whole)
        self.columns = self._head.names
        # without a header there are no columns to check; blocks() rejects the content
        self.unreadable = self._head.unreadable and (data.broken or self._head.unreadable)

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """Yield the `wanted` columns of the lines below the header, as text."""
        with Unpacked(self._path, self._root, self._extent.size) as data:
            if not self.columns:
                yield from self._nothing_but_a_break(data)
                return
            line = self._begin(data)
            reader = _Reader(self._layout, self.columns, wanted, self.track)
            rest = b""
            held = 0  # bytes since the last line end
            while piece := data.read(BLOCK_BYTES):
                buffer = rest + piece
                body, rest = _cut(buffer)
                held = 0 if body else held + len(piece)
                if held > LONGEST_LINE:
                    data.give_up(f"no line ends within {LONGEST_LINE >> 20} MB")
                for block in reader.blocks(body, line, data.done, data.done - len(rest)):
                    line += block.records
                    yield block
                if self.track and len(body) + len(rest) < len(buffer):  # a too long line was cut
                    self.track.feed(buffer, data.done)
            self.unreadable = data.broken
            yield from self._ending(reader, rest, line, data)

    def _begin(self, data: Unpacked) -> int:
        """Seek to the first line to read; return its number."""
        line = self._head.line
        start = data.read(self._head.size)
        if self.track is None or data.plain is None:
            return line
        if self._extent.behind is None:
            self.track.feed(start, len(start))
        else:
            data.plain.seek(self.track.size)
        return line + self.track.records

    def _ending(self, reader: _Reader, rest: bytes, line: int, data: Unpacked) -> Iterator[Block]:
        """Yield what follows the last complete line."""
        if not data.broken:
            # empty lines are allowed only at the end of the file; the last line needs no line end
            if last := rest.rstrip(b"\r\n"):
                self.left = not self._extent.unended
                if not self.left:
                    end = data.done - (len(rest) - len(last))
                    yield from reader.blocks(last + b"\n", line, data.done, end, len(last))
            return
        whole = rest.rfind(b"\n") + 1
        for block in reader.blocks(rest[:whole], line, data.done, None):
            line += block.records
            yield block
        reason = QuarantineReason.OVERSIZED if data.oversized else QuarantineReason.CUT_OFF
        yield without_rows([Rejected(line, reason, raw_text(rest[whole:], self._layout.encoding))], data.done)

    def _nothing_but_a_break(self, data: Unpacked) -> Iterator[Block]:
        start = data.read(LINE_LIMIT)
        if start or data.broken:
            reason = QuarantineReason.CUT_OFF if data.broken and start else QuarantineReason.UNREADABLE_FILE
            raw = raw_text(start, self._layout.encoding) or data.broken
            yield without_rows([Rejected(1 if start else None, reason, raw)], data.done)


@dataclass(frozen=True)
class _Lines:
    """Complete lines: their bytes, the number of the first, and the end of each."""

    body: bytes
    number: int
    ends: npt.NDArray[np.int64]

    def begin(self, place: int) -> int:
        return int(self.ends[place - 1]) + 1 if place else 0

    def at(self, place: int) -> bytes:
        """Return the line at `place` (from 0) without its end."""
        line = self.body[self.begin(place) : int(self.ends[place])]
        return line[:-1] if line.endswith(b"\r") else line


class _Reader:
    """Parses complete lines into blocks."""

    def __init__(
        self, layout: Layout, names: Sequence[str], wanted: Sequence[str], track: Track | None
    ) -> None:
        self._layout = layout
        self._track = track
        self._width = len(names)
        self._wanted = tuple(wanted)
        self._places = [names.index(name) for name in wanted]
        keys = [str(at) for at in range(self._width)]
        used = [str(at) for at in self._places]
        self._convert = pacsv.ConvertOptions(
            column_types={key: pa.string() for key in used},
            include_columns=used or keys[:1],  # even with no column wanted, rows must be counted
            strings_can_be_null=True,
            null_values=[""],
        )
        self._keys = keys
        self._bait = layout.delimiter.encode() * (self._width - 1) + b"\n"
        self._parse = pacsv.ParseOptions(delimiter=layout.delimiter, ignore_empty_lines=False)

    def blocks(
        self, body: bytes, line: int, done: int, end: int | None, written: int | None = None
    ) -> Iterator[Block]:
        """Yield the blocks of `body`, complete lines starting at line `line` of the file.

        `end`: file offset of their end, None if compressed. `written`: bytes of `body` that are in the file.
        """
        lines = _Lines(body, line, np.flatnonzero(np.frombuffer(body, np.uint8) == 10))
        inside = body if written is None else body[:written]
        for first in range(0, len(lines.ends), BLOCK_LINES):
            last = min(first + BLOCK_LINES, len(lines.ends))
            block = self._block(lines, first, last, done)
            if self._track is not None and end is not None:
                stretch = Stretch(self._track, inside, end, lines.ends[first:last])
                block = replace(block, stretch=stretch)
            yield block
        if self._track is not None and end is not None and body:
            self._track.feed(inside, end)

    def _block(self, lines: _Lines, first: int, last: int, done: int) -> Block:
        parsed = parse_in_pieces(first, last, partial(self._together, lines), partial(self._singly, lines))

        def raw(rows: Rows) -> list[str]:
            return [raw_text(lines.at(int(place)), self._layout.encoding) for place in parsed.kept[rows]]

        return Block(parsed.frame, parsed.kept + lines.number, last - first, done, parsed.bad, raw)

    def _together(self, lines: _Lines, first: int, last: int) -> pl.DataFrame | None:
        """Parse lines `first` to `last` with Arrow; None unless all are plain rows."""
        begin = lines.begin(first)
        sizes = np.diff(lines.ends[first:last], prepend=begin - 1)
        if sizes.min() <= 1 or sizes.max() > LINE_LIMIT:  # Arrow makes rows of empty lines
            return None
        body = lines.body[begin : int(lines.ends[last - 1]) + 1]
        if b"\0" in body or (b"\r" in body and _has_stray_return(body)):
            return None
        try:
            if self._layout.encoding != "utf-8":
                body = body.decode(self._layout.encoding).encode()
            table = self._parsed(body, last - first)
        except (pa.ArrowException, UnicodeError, OSError):
            return None
        if table is None:
            return None
        if not self._wanted:
            return pl.DataFrame(height=last - first)
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)  # noqa: S101  # a table becomes a frame
        return frame.rename(dict(zip(frame.columns, self._wanted, strict=True)))

    def _parsed(self, body: bytes, lines: int) -> Any:
        """Parse `body`; None when the number of rows is not `lines`."""
        quoted = b'"' in body
        size = _CHUNK_BYTES
        if quoted:
            # Arrow silently closes an open quote at the end of a chunk. So parse all as one chunk and append a line
            # that an open quote would swallow; the row count then reveals it.
            body += self._bait if self._width > 1 else b"x\n"
            size = len(body) + 1
        read = pacsv.ReadOptions(column_names=self._keys, block_size=size)
        table = pacsv.read_csv(pa.py_buffer(body), read, self._parse, self._convert)
        return table.slice(0, lines) if table.num_rows == lines + quoted else None

    def _singly(self, lines: _Lines, first: int, last: int) -> ParsedRecords:
        cells: list[list[str]] = [[] for _ in self._wanted]
        good: list[int] = []
        bad: list[Rejected] = []
        for place in range(first, last):
            data = lines.at(place)
            fields = self._fields(data)
            if isinstance(fields, QuarantineReason):
                bad.append(Rejected(lines.number + place, fields, raw_text(data, self._layout.encoding)))
                continue
            good.append(place)
            for cell, at in zip(cells, self._places, strict=True):
                cell.append(fields[at])
        return ParsedRecords(text_frame(self._wanted, cells, len(good)), np.array(good, np.int64), bad)

    def _fields(self, data: bytes) -> list[str] | QuarantineReason:
        """Split one line, or return the reason why not."""
        if len(data) > LINE_LIMIT:
            return QuarantineReason.TOO_LONG
        if not data.strip():
            return QuarantineReason.EMPTY_LINE
        if b"\0" in data:
            return QuarantineReason.NUL_BYTE
        if b"\r" in data:
            return QuarantineReason.STRAY_RETURN
        try:
            text = data.decode(self._layout.encoding)
        except UnicodeError:
            return QuarantineReason.BROKEN_ENCODING
        return split(text, self._layout.delimiter, self._width)


def _has_stray_return(body: bytes) -> bool:
    """Tell whether a carriage return ends no line, or an empty one."""
    return body.count(b"\r") != body.count(b"\r\n") or b"\n\r\n" in body or body.startswith(b"\r\n")


def _cut(buffer: bytes) -> tuple[bytes, bytes]:
    """Split `buffer` into complete lines and the rest.

    Trailing empty lines stay in the rest, since the end of a file may have them. A line over the limit is truncated to
    just over the limit, to bound memory.
    """
    cut = buffer.rfind(b"\n") + 1
    if cut == 0:
        return b"", buffer[: LINE_LIMIT + 1]
    filled = cut
    while filled and buffer[filled - 1] in b"\r\n":
        filled -= 1
    if cut - filled < _EMPTY_LINES_BYTES:
        cut = buffer.find(b"\n", filled) + 1 if filled else 0
    rest = buffer[cut:]
    return buffer[:cut], rest
