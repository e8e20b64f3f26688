"""Whether a file looks as if its writer had come to its end."""

from __future__ import annotations

import os
from pathlib import Path

from duanka.domain.errors import UnreadableInput
from duanka.records import asn1_blocks
from duanka.records.mapping import Layout
from duanka.records.open_file import opened
from duanka.records.unpacked import GZIP_MAGIC, Unpacked

_PARQUET_MAGIC = b"PAR1"
_PIECE = 1 << 20


def seems_whole(path: Path, layout: Layout, root: Path | None = None) -> bool:
    """Tell whether `path` ends as its form has it: Parquet with its mark, gzip with its checksum, text with a line end.

    Of a binary form without an end, what is there is whole. What cannot be opened is left to whoever reads it.
    """
    try:
        with opened(path, root) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            start = file.read(4)
            file.seek(max(size - 4, 0))
            end = file.read()
    except (UnreadableInput, OSError):
        return True
    if not size:
        return False
    if start[:2] == GZIP_MAGIC or path.name.lower().endswith(".gz"):
        return _unpacks(path, root)
    if (
        start == _PARQUET_MAGIC
        or layout.format == "parquet"
        or path.name.lower().endswith((".parquet", ".pq"))
    ):
        return size > len(start) + len(end) and end == _PARQUET_MAGIC
    return layout.format in asn1_blocks.FORMATS or end.endswith(b"\n")


def _unpacks(path: Path, root: Path | None) -> bool:
    with Unpacked(path, root) as data:
        while data.read(_PIECE):
            pass
        return not data.broken
