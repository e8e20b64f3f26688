"""JSON lines to a block of text columns: one object a line, extra fields ignored."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from duanka.ingest.files.limits import LINE_LIMIT
from duanka.ingest.model.blocks import Block, ParsedRecords, Rejected, parse_in_pieces, raw_text, text_frame
from duanka.ingest.model.reasons import QuarantineReason

_WHOLE = float(2**53)
_ROUNDED = 1e10  # from here on a number with an exponent (8.6138e12) may have lost digits
_EXPONENT = re.compile(rb":\s*-?[0-9]+(?:\.[0-9]+)?[eE]")


def block_of(lines: Sequence[bytes], numbers: Sequence[int], wanted: Sequence[str]) -> Block:
    """Parse `lines` with their `numbers` into columns `wanted`; missing ones are null."""

    def together(first: int, last: int) -> pl.DataFrame | None:
        return _whole(lines[first:last], wanted)

    def singly(first: int, last: int) -> ParsedRecords:
        rows: dict[int, list[str | None]] = {}
        bad: list[Rejected] = []
        for at in range(first, last):
            row = _one(lines[at], wanted)
            if isinstance(row, QuarantineReason):
                bad.append(Rejected(numbers[at], row, raw_text(lines[at])))
            else:
                rows[at] = row
        cells = zip(*rows.values(), strict=True) if rows else [()] * len(wanted)
        return ParsedRecords(text_frame(wanted, cells, len(rows)), np.array([*rows], np.int64), bad)

    parsed = parse_in_pieces(0, len(lines), together, singly)
    return Block(parsed.frame, np.array(numbers, np.int64)[parsed.kept], len(lines), 0, parsed.bad)


def _whole(lines: Sequence[bytes], wanted: Sequence[str]) -> pl.DataFrame | None:
    """Parse all lines at once; None when one of them is not plain."""
    body = b"\n".join(lines)
    # half surrogate pairs, empty lines and rounded numbers are faults that only parsing line by line can tell
    if not lines or b"\\ud" in body or b"\\uD" in body or max(map(len, lines)) > LINE_LIMIT:
        return None
    if _EXPONENT.search(body):
        return None
    try:
        frame = pl.read_ndjson(io.BytesIO(body), schema=dict.fromkeys(wanted, pl.String))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError):
        return None
    return frame if frame.height == len(lines) else None


def _one(line: bytes, wanted: Sequence[str]) -> list[str | None] | QuarantineReason:
    """Parse one line, or return the reason why not."""
    if len(line) > LINE_LIMIT:
        return QuarantineReason.TOO_LONG
    if not line.strip():
        return QuarantineReason.EMPTY_LINE
    try:
        # of a repeated field the first counts, as in lines parsed together
        found = json.loads(
            line.decode(),
            parse_int=str,
            parse_float=_float,
            parse_constant=_constant,
            object_pairs_hook=lambda pairs: dict(reversed(pairs)),
        )
        if not isinstance(found, dict):
            return QuarantineReason.BROKEN_JSON
        row = [_text(found.get(name)) for name in wanted]
        "".join(cell for cell in row if cell is not None).encode()
    except UnicodeError:
        return QuarantineReason.BROKEN_ENCODING
    except (ValueError, RecursionError):
        return QuarantineReason.BROKEN_JSON
    return row


def _float(text: str) -> str:
    value = float(text)
    if abs(value) >= _ROUNDED and "e" in text.lower():
        return text
    return str(int(value)) if value == value // 1 and abs(value) <= _WHOLE else repr(value)


def _constant(text: str) -> None:
    raise ValueError(text)  # NaN and Infinity are not JSON


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)
