"""Parsing of card lists that people hand in: text, tables, our own work list."""

from __future__ import annotations

import codecs
import csv
import re

from duanka.domain.errors import DuankaError
from duanka.domain.phone_number import parse

# Headings of a card column, compared without case.
_HEADINGS = frozenset(
    {
        *("card", "number", "phone", "phone number", "phonenumber", "msisdn"),
        *(
            "号码",
            "手机号",
            "手机号码",
            "电话号码",
            "卡号",
            "号码 card",
        ),  # the last of our own Chinese workbook
    }
)
_CERTAINTY = "certainty"
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DIGITS = re.compile("[0-9]{3}")  # no heading has three digits in a row


def cards_in(octets: bytes, name: str) -> list[str]:
    """Return the text of each card in a file, in order; malformed ones are included.

    UTF-8, UTF-16 and GBK are detected. Formats: one card a line, several separated by blanks, or a table, of
    which the column headed `card` (or 号码, …) is read, else the first that holds cards. DuankaError: not a
    text, or no such column.
    """
    return [card for card, _ in _listed(octets, name)]


def certain_cards_in(octets: bytes, name: str, above: float) -> tuple[list[str], int]:
    """As `cards_in`, but of a table with a column `certainty` (0 to 1), such as ring.csv, the cards above `above`.

    Also returns how many were left out. DuankaError: a certainty is none.
    """
    listed = _listed(octets, name)
    kept = [card for card, told in listed if told is None or _certainty(told, name) > above]
    return kept, len(listed) - len(kept)


def _listed(octets: bytes, name: str) -> list[tuple[str, str | None]]:
    """The text of each card, and what the column `certainty` says of it; None: there is no such column."""
    rows = [row for row in _rows(_text(octets, name), name) if any(row)]
    if not rows:
        return []
    first = rows[0]
    if len({len(row) for row in rows}) == 1 and len(first) == 1:
        found = [cell for row in rows for cell in _parted(row[0])]
        return [(card, None) for card in (found[1:] if _is_heading(found[0]) else found)]
    column = _column(rows)
    if column is None:
        raise DuankaError(f"{name} has several columns and none of them is headed card or 号码: name it so")
    rest = rows[1:] if not any(map(parse, first)) else rows
    sure = next((place for place, cell in enumerate(first) if cell.casefold() == _CERTAINTY), None)
    return [(_cell(row, column), None if sure is None else _cell(row, sure)) for row in rest]


def _cell(row: list[str], place: int) -> str:
    return row[place] if place < len(row) else ""


def _certainty(told: str, name: str) -> float:
    try:
        found = float(told)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:  # nan is no certainty either
        raise DuankaError(
            f"{name}: certainty {told!r:.40} is no number from 0 to 1; correct it, or leave the column out"
        )
    return found


def _column(rows: list[list[str]]) -> int | None:
    """Return the card column: by heading, else the first one with a card in some row."""
    for place, cell in enumerate(rows[0]):
        if cell.casefold() in _HEADINGS:
            return place
    if any(map(parse, rows[0])):
        return next(place for place, cell in enumerate(rows[0]) if parse(cell))
    return next((place for row in rows[1:2] for place, cell in enumerate(row) if parse(cell)), None)


def _is_heading(cell: str) -> bool:
    return cell.casefold() in _HEADINGS or not _DIGITS.search(cell)


def _parted(cell: str) -> list[str]:
    """Split a cell: one card with blanks in it, or several separated by blanks."""
    several = cell.split()
    return several if len(several) > 1 and not parse(cell) and all(map(parse, several)) else [cell]


def _rows(text: str, name: str) -> list[list[str]]:
    lines = text.replace("\x00", "").splitlines()
    mark = max(",;\t", key=lambda one: sum(one in line for line in lines))
    rows = csv.reader(lines, delimiter=mark, strict=True)
    try:
        return [[cell.strip() for cell in row] for row in rows]
    except csv.Error:
        raise DuankaError(
            f"{name}, line {rows.line_num}: a quote is not closed or stands amid a cell; correct it"
        ) from None


def _text(octets: bytes, name: str) -> str:
    coding = next((coding for mark, coding in _MARKS if octets.startswith(mark)), None)
    if coding is None and octets[1::2].count(0) * 4 > len(octets):  # UTF-16: half the characters are ASCII
        coding = "utf-16-le"
    for one in [coding] if coding else ["utf-8", "gb18030"]:
        try:
            return octets.decode(one)
        except UnicodeDecodeError:
            continue
    raise DuankaError(f"{name} is no text in UTF-8, UTF-16 or GBK: save it as CSV in UTF-8")
