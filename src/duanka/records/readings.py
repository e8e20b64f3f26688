"""Opens a delivered file as what it is."""

from __future__ import annotations

from pathlib import Path

from duanka.records import asn1_blocks
from duanka.records.beginnings import Extent
from duanka.records.blocks import Reading
from duanka.records.csv_blocks import CsvReading
from duanka.records.mapping import Layout
from duanka.records.open_file import opened
from duanka.records.parquet_blocks import ParquetReading

_PARQUET_MAGIC = b"PAR1"
_PARQUET_ENDINGS = (".parquet", ".pq")


def open_reading(
    path: Path, layout: Layout, root: Path | None = None, extent: Extent | None = None
) -> Reading:
    """Open `path` in the format that `layout` names; "auto" tells Parquet from CSV by ending and first bytes.

    `root`: see `open_file.opened`, which says what is raised. `extent`: what of a plain CSV file is read; other files
    are read as a whole.
    """
    form = layout.format
    if form == "auto":
        with opened(path, root) as file:
            parquet = file.read(4) == _PARQUET_MAGIC
        form = "parquet" if parquet or path.name.lower().endswith(_PARQUET_ENDINGS) else "csv"
    if form in asn1_blocks.FORMATS:
        return asn1_blocks.Asn1Reading(path, form, root)
    if form == "parquet":
        return ParquetReading(path, root)
    return CsvReading(path, layout, root=root, extent=extent)
