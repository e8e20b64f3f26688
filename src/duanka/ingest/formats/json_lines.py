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
from duanka.ingest.model.blocks import RAW_LIMIT, Bad, Block
from duanka.ingest.model.reasons import QuarantineReason

_LINE_BY_LINE_BELOW = 400  # lines; smaller pieces are parsed line by line
_SPLIT_INTO = 16  # number of pieces into which lines are split that cannot be parsed at once
_WHOLE = float(2**53)
_ROUNDED = 1e10  # from here on a number with an exponent (8.6138e12) may have lost digits
_EXPONENT = re.compile(rb":\s*-?[0-9]+(?:\.[0-9]+)?[eE]")


def block_of(lines: Sequence[bytes], numbers: Sequence[int], wanted: Sequence[str]) -> Block:
    """Parse `lines` with their `numbers` into columns `wanted`; missing ones are null."""
    frames: list[pl.DataFrame] = [_frame([], wanted)]
    kept: list[int] = []
    bad: list[Bad] = []

    def gather(first: int, last: int) -> None:
        frame = _whole(lines[first:last], wanted)
        if frame is not None:
            frames.append(frame)
            kept.extend(range(first, last))
        elif last - first > _LINE_BY_LINE_BELOW:
            step = max(_LINE_BY_LINE_BELOW, -(-(last - first) // _SPLIT_INTO))
            for at in range(first, last, step):
                gather(at, min(at + step, last))
        else:
            rows: list[list[str | None]] = []
            for at in range(first, last):
                row = _one(lines[at], wanted)
                if isinstance(row, QuarantineReason):
                    raw = lines[at][:RAW_LIMIT].decode(errors="backslashreplace")
                    bad.append(Bad(numbers[at], row, raw))
                else:
                    rows.append(row)
                    kept.append(at)
            frames.append(_frame(rows, wanted))

    gather(0, len(lines))
    places = np.array(numbers, np.int64)[np.array(kept, np.int64)]
    return Block(pl.concat(frames), places, len(lines), 0, bad)


def _frame(rows: Sequence[Sequence[str | None]], wanted: Sequence[str]) -> pl.DataFrame:
    cells = zip(*rows, strict=True) if rows else [()] * len(wanted)
    return pl.DataFrame([pl.Series(n, c, dtype=pl.String) for n, c in zip(wanted, cells, strict=True)])


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
