"""Detects the format of a file: encoding, delimiter, header."""

from __future__ import annotations

import codecs
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from duanka.domain.errors import DuankaError
from duanka.ingest.files.open_file import opened
from duanka.ingest.formats.asn1 import reader as asn1_blocks
from duanka.ingest.formats.asn1.ber import BerElement, FileBytes
from duanka.ingest.formats.asn1.reader import Asn1Reading
from duanka.ingest.formats.csv_header import fitting, split
from duanka.ingest.formats.parquet_reader import ParquetReading, is_parquet
from duanka.ingest.formats.unpacked import Unpacked
from duanka.ingest.formats.workbook import forms
from duanka.ingest.formats.workbook.reading import WorkbookReading
from duanka.ingest.formats.workbook.rows import HEADER_WITHIN_ROWS, MIN_HEADER_SHARE, is_data
from duanka.ingest.model.header_names import meanings
from duanka.ingest.model.mapping import Layout
from duanka.ingest.model.reasons import QuarantineReason

_SAMPLE_BYTES = 1 << 20  # bytes of a file that are sampled
_LINES = 200
_DELIMITERS = (",", "\t", "|", ";", "\x01", "^", "~", "#")
ASCII, UTF_8, GB18030 = "ascii", "utf-8", "gb18030"
WORKBOOK = "xlsx"


@dataclass(frozen=True)
class FileForm:
    """Detected format of a file.

    `columns`: names, or `column N` without a header. `problem`: why the file cannot be read. `skip`: lines
    above the header or first record. `twice`: whether column names repeat. `encoding`: ASCII if any would do.
    """

    format: str = "csv"
    encoding: str = ASCII
    delimiter: str = ","
    header: bool = True
    columns: tuple[str, ...] = ()
    problem: str = ""
    skip: int = 0
    twice: bool = False

    @property
    def layout(self) -> Layout:
        """The format as a Layout for the readers."""
        encoding = UTF_8 if self.encoding == ASCII else self.encoding
        named = self.header and not self.twice
        names = None if named or self.format not in ("csv", WORKBOOK) else self.columns
        form = "auto" if self.format in ("csv", WORKBOOK) else self.format
        return Layout(form, self.delimiter, encoding, names, skip=self.skip + self.twice)


def form_of(path: Path) -> FileForm:
    """Detect the format of the file at `path`; failures are described in `problem`."""
    try:
        with opened(path) as file:
            start = file.read(8)
            workbook, why = forms.is_workbook(file, path.name), forms.not_read(file, path.name)
        if workbook or why:
            return _workbook(path) if workbook else FileForm(problem=why)
        if is_parquet(start, path.name):
            reading = ParquetReading(path)
            return FileForm("parquet", columns=reading.columns, problem=reading.unreadable)
        if binary := _binary(path, start):
            return binary
        with Unpacked(path) as data:
            text = data.read(_SAMPLE_BYTES)
            broken = data.broken
    except (DuankaError, OSError) as fault:
        return FileForm(problem=str(fault))
    if not text.strip():
        return FileForm(problem=broken or "the file is empty")
    return _text_form(text, whole=len(text) < _SAMPLE_BYTES)


def _workbook(path: Path) -> FileForm:
    reading = WorkbookReading(path, Layout())
    problem = "" if reading.columns else reading.unreadable
    return FileForm(WORKBOOK, header=reading.has_header, columns=reading.columns, problem=problem)


def _binary(path: Path, start: bytes) -> FileForm | None:
    """The binary format that decodes most of the sampled records; None for none."""
    # first byte of a TransferBatch (TAP) or a charging record: a constructed tag; hardly any text begins like this
    if len(start) < 2 or not (start[0] in (0x61, 0x62) or 0xA0 <= start[0] < 0xC0):
        return None
    if start[0] < 0x80 and start[1] < 0x80 and path.stat().st_size != 2 + start[1]:
        return None
    best: tuple[int, str] = (0, "")
    for form, module in asn1_blocks.FORMATS.items():
        with opened(path) as file:
            framed = isinstance(next(module.records(FileBytes(file)), 0), BerElement)
        if not framed:  # checked first, because the decoder takes seconds to load
            continue
        reading = Asn1Reading(path, form)
        block = next(iter(reading.blocks(["imsi"])), None)
        if block is not None and block.frame.height > len(block.bad):
            best = max(best, (block.frame.height, form))
    return FileForm(best[1], columns=tuple(asn1_blocks.FORMATS[best[1]].COLUMNS)) if best[1] else None


def _text_form(data: bytes, *, whole: bool) -> FileForm:
    encoding, problem = encoding_of(data, whole=whole)
    if problem:
        return FileForm(problem=problem)
    text = data.removeprefix(codecs.BOM_UTF8).decode(encoding, "ignore")
    physical = [line.rstrip("\r") for line in text.split("\n")[: _LINES + HEADER_WITHIN_ROWS]]
    if not whole and len(physical) < _LINES + HEADER_WITHIN_ROWS:
        physical.pop()
    lines = [line for line in physical if line.strip()]
    if lines[0].lstrip()[:1] in ("{", "["):
        return FileForm(problem="JSON; write it as CSV or Parquet")
    if lines[0].lstrip()[:1] == "<":
        return FileForm(problem="XML or a web page; write it as CSV or Parquet")
    delimiter, width = _delimiter(lines)
    if not delimiter:
        return FileForm(problem=_why_undivided(lines))
    rows = [(at, split(line, delimiter, None)) for at, line in enumerate(physical) if line.strip()]
    return _with_head(
        encoding,
        delimiter,
        width,
        [(at, row) for at, row in rows if not isinstance(row, QuarantineReason)][:_LINES],
    )


def _with_head(encoding: str, delimiter: str, width: int, rows: list[tuple[int, list[str]]]) -> FileForm:
    """Format of text whose `rows` (line number, fields) mostly have `width` fields."""
    fields = [row for _, row in rows]
    place = _header_at(fields, width)
    if place is None:
        first = next((at for at, row in enumerate(fields) if len(row) == width), 0)
        names = tuple(f"column {at}" for at in range(1, width + 1))
        return FileForm("csv", encoding, delimiter, header=False, columns=names, skip=rows[first][0])
    written = [field.strip() or f"column {at}" for at, field in enumerate(fields[place], start=1)]
    names = _told_apart(fitting(written, [row for row in fields[place + 1 :] if len(row) == width]))
    twice = names[: len(written)] != tuple(written)[: len(names)]
    return FileForm("csv", encoding, delimiter, columns=names, skip=rows[place][0], twice=twice)


def _header_at(rows: list[list[str]], width: int) -> int | None:
    """Index of the header row, skipping narrower titles above it; None for none."""
    for at, row in enumerate(rows[:HEADER_WITHIN_ROWS]):
        filled = sum(bool(field.strip()) for field in row)
        if filled < max(MIN_HEADER_SHARE * width, 2):
            continue
        if _is_header(rows[at:]):
            return at
        break
    return 0 if len(rows[0]) == width and _is_header(rows) else None


def _told_apart(names: tuple[str, ...]) -> tuple[str, ...]:
    """Make names unique: the second `NAME` becomes `NAME (2)`."""
    seen: Counter[str] = Counter()
    apart = []
    for name in names:
        seen[name] += 1
        apart.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(apart)


def _why_undivided(lines: list[str]) -> str:
    opened = max(
        sum(split(line, one, None) is QuarantineReason.OPEN_QUOTE for line in lines) for one in _DELIMITERS
    )
    if opened * 10 >= len(lines):
        return (
            "quoted fields go on over the end of their lines, and a record is one line (docs/FORMAT.md);"
            " export it without line breaks in its texts"
        )
    return "no delimiter divides its lines into the same number of fields; is it text of fixed width?"


def encoding_of(data: bytes, *, whole: bool) -> tuple[str, str]:
    """Encoding of text that begins with `data`, and ""; or "" and why there is none."""
    if data[:4000].count(b"\0") * 4 > len(data[:4000]):
        why = "binary, or UTF-16 text without its mark; convert it to UTF-8 (`iconv -f UTF-16LE -t UTF-8`)"
        return "", why
    if data.isascii():
        return ASCII, ""
    for encoding in (UTF_8, GB18030):
        try:
            codecs.getincrementaldecoder(encoding)().decode(data, final=whole)
        except UnicodeError:
            continue
        return encoding, ""
    # tolerate a few broken bytes: under one per thousand
    for encoding in (UTF_8, GB18030):
        if data.decode(encoding, "replace").count("\ufffd") * 1000 < len(data):
            return encoding, ""
    return "", "text in an encoding that is neither UTF-8 nor GB18030; convert it to UTF-8"


def _delimiter(lines: list[str]) -> tuple[str, int]:
    """Delimiter that splits most lines into equally many fields, and their number.

    The delimiter is "" if there is none.
    """
    best: tuple[float, int, str] = (0.0, 0, "")
    for delimiter in _DELIMITERS:
        widths = Counter(
            len(fields)
            for line in lines
            if not isinstance(fields := split(line, delimiter, None), QuarantineReason)
        )
        width, count = widths.most_common(1)[0] if widths else (0, 0)
        share = count / len(lines)
        # commas and bars also occur inside values: prefer more lines of equal width, then the greater width
        if width > 1 and share >= 0.6 and (round(share, 1), width, delimiter) > best:
            best = (round(share, 1), width, delimiter)
    return best[2], best[1]


def _is_header(rows: list[list[str]]) -> bool:
    """Tell whether the first row is a header: none of its fields parses as data."""
    first = [field.strip() for field in rows[0]]
    filled = [field for field in first if field]
    if not filled or any(is_data(field) for field in filled):
        return False
    known = sum(bool(meanings(field)) for field in filled)
    if known * 3 >= len(filled):
        return True
    # without known names, it is a header if the rows below have data in places where it has none
    below = rows[1:51]
    data = sum(
        sum(is_data(row[at]) for row in below if at < len(row)) * 2 > len(below) for at in range(len(first))
    )
    return bool(below) and data > 0
