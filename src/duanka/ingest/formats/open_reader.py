"""Opens a delivered file with the reader of its format."""

from __future__ import annotations

from pathlib import Path

from duanka.ingest.files.beginnings import Extent
from duanka.ingest.files.open_file import opened
from duanka.ingest.formats.asn1 import reader as asn1_blocks
from duanka.ingest.formats.csv_reader import CsvReading
from duanka.ingest.formats.parquet_reader import ParquetReading, is_parquet
from duanka.ingest.formats.workbook import forms
from duanka.ingest.formats.workbook.reading import WorkbookReading
from duanka.ingest.model.blocks import OpenReader
from duanka.ingest.model.mapping import Layout


def open_reading(
    path: Path, layout: Layout, root: Path | None = None, extent: Extent | None = None
) -> OpenReader:
    """Open `path` in the format of `layout`; "auto": detected by first bytes and name.

    "auto" knows Parquet, workbooks and CSV. `root`, and errors: see `open_file.opened`. `extent`: part of an
    uncompressed CSV file to read; other files are read whole.
    """
    form = layout.format
    if form == "auto":
        with opened(path, root) as file:
            if is_parquet(file.read(4), path.name):
                form = "parquet"
            elif forms.is_workbook(file, path.name):
                form = "workbook"
            elif why := forms.not_read(file, path.name):
                return forms.NotRead(path, why)
    if form in asn1_blocks.FORMATS:
        return asn1_blocks.Asn1Reading(path, form, root)
    if form == "parquet":
        return ParquetReading(path, root)
    if form == "workbook":
        return WorkbookReading(path, layout, root)
    return CsvReading(path, layout, root=root, extent=extent)
