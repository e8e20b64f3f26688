"""Checks whether a file looks completely written."""

from __future__ import annotations

import os
from pathlib import Path

from duanka.domain.errors import UnreadableInput
from duanka.ingest.files.open_file import opened
from duanka.ingest.files.packed_zip import Broken, Unfit, members_of
from duanka.ingest.formats.asn1 import reader as asn1_blocks
from duanka.ingest.formats.parquet_reader import MAGIC, is_parquet
from duanka.ingest.formats.unpacked import START, Unpacked, is_utf16, packed_as
from duanka.ingest.formats.workbook import forms
from duanka.ingest.model.mapping import Layout

_PIECE = 1 << 20


def looks_complete(path: Path, layout: Layout, root: Path | None = None) -> bool:
    """Tell whether `path` ends as its format requires.

    Parquet: end marker; compressed data: end of stream; zip: directory; text: line end. Binary formats without an end
    marker always count as complete, and so do files that cannot be opened (the reader will report them).
    """
    try:
        with opened(path, root) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            start = file.read(START)
            file.seek(max(size - 4, 0))
            end = file.read()
    except (UnreadableInput, OSError):
        return True
    if not size:
        return False
    if form := packed_as(path.name, start):
        return _has_directory(path, root) if form == ".zip" else _unpacks(path, root)
    if layout.format == "parquet" or is_parquet(start, path.name):
        return size > 2 * len(MAGIC) and end == MAGIC
    if is_utf16(start):
        return end.endswith((b"\n\0", b"\0\n"))
    return layout.format in asn1_blocks.FORMATS or end.endswith(b"\n")


def is_plain_text(path: Path, layout: Layout, root: Path | None = None) -> bool:
    """Tell whether `path` is uncompressed text, which may be read while it is written."""
    if layout.format not in {"auto", "csv"}:
        return False
    try:
        with opened(path, root) as file:
            start = file.read(START)
    except (UnreadableInput, OSError):
        return False
    other = is_parquet(start, path.name) or path.name.lower().endswith(forms.ENDINGS)
    return not (packed_as(path.name, start) or is_utf16(start) or (other and layout.format == "auto"))


def _unpacks(path: Path, root: Path | None) -> bool:
    with Unpacked(path, root) as data:
        while data.read(_PIECE):
            pass
        return not data.broken


def _has_directory(path: Path, root: Path | None) -> bool:
    with opened(path, root) as file:
        try:
            members_of(file)
        except Broken:
            return False
        except Unfit:
            pass  # the reader will report it
    return True
