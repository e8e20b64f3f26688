"""Raw text of a row for the quarantine, without secret fields."""

from __future__ import annotations

import csv
import io
import json

import polars as pl

from duanka.ingest.model.blocks import Block, Rows
from duanka.ingest.model.holders import WITHHELD


def raw_rows(block: Block, places: Rows, secret: frozenset[str], delimiter: str) -> list[str]:
    """Return the raw text of the rows at `places`: the original line, else JSON.

    Fields in `secret` (columns that may hold document numbers) are masked; then the line is rebuilt from the fields
    that were read.
    """
    if not len(places):
        return []
    if block.raw is not None and not secret:
        return block.raw(places)
    frame = block.frame[places]
    hidden = [
        pl.when(pl.col(name).is_null()).then(None).otherwise(pl.lit(WITHHELD)).alias(name)
        for name in frame.columns
        if name in secret
    ]
    frame = frame.with_columns(hidden)
    if block.raw is not None:
        return [_line(row, delimiter) for row in frame.iter_rows()]
    return [
        json.dumps({k: v for k, v in row.items() if v is not None}, ensure_ascii=False, default=str)
        for row in frame.iter_rows(named=True)
    ]


def _line(row: tuple[object, ...], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="").writerow(["" if v is None else v for v in row])
    return text.getvalue()
