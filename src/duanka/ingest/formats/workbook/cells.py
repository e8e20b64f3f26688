"""Cell values as exact text, in forms that every canonical column can parse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from duanka.ingest.formats.workbook.number_formats import PLAIN, TIMED, NumberFormat
from duanka.ingest.formats.workbook.strings import SharedStrings, unescaped

_DAY_ZERO = date(1899, 12, 30)  # valid from March 1900 on; earlier, spreadsheets count a 29 February 1900
_DAYS_TO_1904 = 1462
_LEAST_MOMENT = 366  # days; smaller values are durations or times of day
_MOST_DAYS = 2_958_465  # 9999-12-31
_EXACT = 2**53  # up to here a float holds every integer
_MS = 86_400_000
TEXT_KINDS = ("s", "str", "inlineStr")


class Cell(NamedTuple):
    """A cell as stored: type, style number and value, each "" if absent; see TEXT_KINDS."""

    kind: str
    style: str
    value: str


class CellValues:
    """Converts cells of one workbook to text; `errors`: number of cells such as #N/A."""

    def __init__(self, strings: SharedStrings, formats: Sequence[NumberFormat], *, since_1904: bool) -> None:
        self.errors = 0
        self.strings = strings
        self._formats = {str(number): form for number, form in enumerate(formats)}
        self._unstyled = formats[0] if formats else PLAIN
        self._ahead = _DAYS_TO_1904 if since_1904 else 0
        self._days: dict[int, str] = {}

    def size(self, cell: Cell) -> int:
        """Approximate bytes of the cell's text."""
        if cell.kind == "s" and (place := self._place(cell.value)) is not None:
            return self.strings.size(place)
        return len(cell.value)

    def text(self, cell: Cell) -> str | None:
        """Text of a cell; None for an empty cell or an error value."""
        kind, style, value = cell
        if kind == "n":
            return self._number(value, style)
        if kind == "s":
            place = self._place(value)
            return None if place is None else self.strings[place]
        if kind == "e":
            self.errors += 1
            return None
        if kind == "b":
            return "true" if value.strip() in ("1", "true") else "false"
        return unescaped(value)  # text, or an ISO 8601 date

    def _place(self, value: str) -> int | None:
        number = int(value) if value.isdecimal() and len(value) < 10 else -1
        return number if 0 <= number < len(self.strings) else None

    def _number(self, value: str, style: str) -> str:
        form = self._formats.get(style, PLAIN) if style else self._unstyled
        if form is PLAIN and value.isdecimal() and len(value) <= 15:
            return value
        try:
            number = float(value)
        except ValueError:
            return value
        if not math.isfinite(number):
            return value
        if form.temporal and 0 <= number <= _MOST_DAYS:
            return self._moment(number, form)
        return _amount(number, form)

    def _moment(self, days: float, form: NumberFormat) -> str:
        day, millis = divmod(round(days * _MS), _MS)  # the float is exact to about 1 µs
        if days < 1 or (days < _LEAST_MOMENT and form.timed):
            return _clock(day * _MS + millis, form)
        written = self._days.get(day)
        if written is None:
            written = self._days[day] = str(_DAY_ZERO + timedelta(days=min(day + self._ahead, _MOST_DAYS)))
        return f"{written} {_clock(millis, TIMED)}" if millis or form.timed else written


def _amount(number: float, form: NumberFormat) -> str:
    if not number.is_integer():
        return repr(number)
    # beyond this, digits are lost: in scientific notation, the value is rejected for that reason
    return f"{number:.14E}" if abs(number) > _EXACT else str(int(number)).zfill(form.zeros)


def _clock(millis: int, form: NumberFormat) -> str:
    """A time or duration as hh:mm:ss; h:mm if the format shows no seconds (ambiguous)."""
    seconds, rest = divmod(millis, 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    if form.minutes and not rest and not second:
        return f"{hours}:{minute:02d}"
    return f"{hours:02d}:{minute:02d}:{second:02d}" + (f".{rest:03d}" if rest else "")
