"""Workbooks for tests, written as XML: also those that no program would write."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

HEADER = ("card", "peer", "direction", "started_at", "seconds")
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
FORMATS = (
    "General",
    "yyyy/m/d h:mm:ss",
    'yyyy"年"m"月"d"日"',
    "[h]:mm:ss",
    "h:mm",
    "000000",
    "0.00E+00",
    '0.0"小时"',
    "[$-804]h:mm:ss AM/PM",
    "mm:ss.000",
)


class Shown(NamedTuple):
    """A number as one of FORMATS shows it."""

    number: float
    style: int


class Raw(NamedTuple):
    """A cell as XML, without its reference: the attributes, and what is in it."""

    attributes: str
    inside: str


Value = str | int | float | bool | None | Shown | Raw


def letters(place: int) -> str:
    """The name of a column, from 1."""
    found = ""
    while place:
        place, rest = divmod(place - 1, 26)
        found = chr(65 + rest) + found
    return found


def cell(value: Value, reference: str) -> str:
    """One cell; text stands in it."""
    if value is None:
        return ""
    if isinstance(value, Raw):
        return f'<c r="{reference}" {value.attributes}>{value.inside}</c>'
    if isinstance(value, Shown):
        return f'<c r="{reference}" s="{value.style}"><v>{value.number!r}</v></c>'
    if isinstance(value, bool):
        return f'<c r="{reference}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, str):
        return f'<c r="{reference}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f'<c r="{reference}"><v>{value!r}</v></c>'


def row(number: int, values: Sequence[Value]) -> str:
    """One row, its first value in column A."""
    cells = "".join(cell(value, f"{letters(at)}{number}") for at, value in enumerate(values, start=1))
    return f'<row r="{number}">{cells}</row>'


def rows(*values: Sequence[Value], first: int = 1) -> str:
    """Rows one below the other."""
    return "".join(row(number, one) for number, one in enumerate(values, start=first))


def call(second: int, at: Value = "2021-05-17 09:30:00", card: Value = "8613800138000") -> tuple[Value, ...]:
    """A call that differs from others in its seconds."""
    return (card, "8613900139000", "out", at, second)


def book(
    sheets: Mapping[str, str],
    *,
    strings: str = "",
    hidden: Sequence[str] = (),
    since_1904: bool = False,
    head: str = '<?xml version="1.0" encoding="UTF-8"?>',
    parts: Mapping[str, bytes] | None = None,
) -> bytes:
    """A workbook of `sheets`, rows by their names; `strings`: the items shared; `parts`: in place of others."""
    listed = related = ""
    content: dict[str, bytes] = {"[Content_Types].xml": b"<Types/>"}
    for number, (name, data) in enumerate(sheets.items(), start=1):
        state = ' state="hidden"' if name in hidden else ""
        listed += f'<sheet name={quoteattr(name)} sheetId="{number}"{state} r:id="rId{number}"/>'
        target = f"worksheets/sheet{number}.xml"
        related += f'<Relationship Id="rId{number}" Type="{_REL}/worksheet" Target="{target}"/>'
        sheet = f'{head}<worksheet xmlns="{_MAIN}"><sheetData>{data}</sheetData></worksheet>'
        content[f"xl/{target}"] = sheet.encode()
    codes = "".join(
        f'<numFmt numFmtId="{164 + number}" formatCode={quoteattr(code)}/>'
        for number, code in enumerate(FORMATS)
    )
    styles = "".join(f'<xf numFmtId="{164 + number if number else 0}"/>' for number in range(len(FORMATS)))
    content["xl/workbook.xml"] = (
        f'{head}<workbook xmlns="{_MAIN}" xmlns:r="{_REL}"><workbookPr date1904="{int(since_1904)}"/>'
        f"<sheets>{listed}</sheets></workbook>"
    ).encode()
    content["xl/_rels/workbook.xml.rels"] = (
        f'<Relationships xmlns="{_PACKAGE}">{related}'
        f'<Relationship Id="s" Type="{_REL}/styles" Target="/xl/styles.xml"/>'
        f'<Relationship Id="t" Type="{_REL}/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
    ).encode()
    content["_rels/.rels"] = (
        f'<Relationships xmlns="{_PACKAGE}">'
        f'<Relationship Id="b" Type="{_REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ).encode()
    content["xl/styles.xml"] = (
        f'<styleSheet xmlns="{_MAIN}"><numFmts>{codes}</numFmts>'
        f'<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>{styles}</cellXfs></styleSheet>'
    ).encode()
    content["xl/sharedStrings.xml"] = f'<sst xmlns="{_MAIN}">{strings}</sst>'.encode()
    content |= parts or {}
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in content.items():
            archive.writestr(name, part)
    return octets.getvalue()


def calls_book(*values: Sequence[Value]) -> bytes:
    """A workbook of one sheet of calls below its header."""
    return book({"通话": rows(HEADER, *values)})
