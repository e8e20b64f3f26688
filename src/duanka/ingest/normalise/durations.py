"""Parses durations of any usual form to seconds.

Forms: `126`, `00:02:06`, `000206`, `2分6秒`, `PT2M6S`, `1h02m`, `0 days 00:02:06`, and `1899-12-31 00:02:06`, a time on
day zero of a spreadsheet.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from duanka.ingest.normalise.amounts import amounts

_WORTH = (("d", 86_400.0), ("days", 86_400.0), ("h", 3_600.0), ("m", 60.0), ("s", 1.0), ("ms", 0.001))
# Hours may be any number; minutes and seconds must be below sixty.
_CLOCK = (
    r"^(?:(?<d>[0-9]{1,4})(?: ?(?:days?|天|日),? ?|[.]))?"
    r"(?<h>[0-9]{1,5}):(?<m>[0-5]?[0-9]):(?<s>[0-5]?[0-9](?:[.,][0-9]+)?)$"
)
_PACKED = r"^(?<h>[0-9]{2,4})(?<m>[0-5][0-9])(?<s>[0-5][0-9])$"
_FORMS = {
    "hhmmss": _PACKED,
    "mm:ss": r"^(?<m>[0-9]{1,5}):(?<s>[0-5]?[0-9])$",
    "hh:mm": r"^(?<h>[0-9]{1,5}):(?<m>[0-5]?[0-9])$",
}
CLOCK_UNITS = tuple(_FORMS)
"""Forms that a mapping must name, because the digits are ambiguous: `123456`, `02:06`."""
_N = "[0-9]+(?:[.,][0-9]+)?"
_WORDS = (
    rf"^(?i)(?:P(?:(?<d>{_N})D)?T?|(?<days>{_N}) ?(?:天|日|days?|d),? ?)?"
    rf"(?:(?<h>{_N}) ?(?:小时|小時|个小时|时|時|点|hours?|hrs?|hr|h))?,? ?"
    rf"(?:(?<m>{_N}) ?(?:分钟|分鐘|分|minutes?|mins?|min|m|['′’]))?,? ?"
    rf"(?:(?<s>{_N}) ?(?:秒钟|秒鐘|秒|seconds?|secs?|sec|s|[\"″]|''))?,? ?"
    rf"(?:(?<ms>{_N}) ?(?:毫秒|milliseconds?|msecs?|ms))?$"
)
# Date that spreadsheets and databases put before a time of day: their day zero.
_DAY_ZERO = r"^(?:1899[-/.]12[-/.]3[01]|1900[-/.]0?1[-/.]0{1,2}|1904[-/.]0?1[-/.]0?1)[ T]+"
DAYS_ZERO = (date(1899, 12, 30), date(1899, 12, 31), date(1904, 1, 1))
ZERO_PADDED = r"^0[0-9]{5}$"
"""Six digits with a leading 0: a count has none, so this is hhmmss of an exchange."""


def seconds(text: pl.Series, form: str | None) -> pl.Series:
    """Parse trimmed `text` to seconds, with fractions; null where it is no duration.

    `form`: one of CLOCK_UNITS. Without it a number means seconds, except six digits beginning with 0, which are hhmmss
    as written by exchanges.
    """
    if form is not None:
        return _added(text, _FORMS[form])
    found = amounts(text)
    padded = text.str.contains(ZERO_PADDED).fill_null(False)
    if padded.any():
        found = _added(text.set(~padded, None), _PACKED).zip_with(padded, found)
    if found.null_count() > text.null_count():
        text = text.str.replace(_DAY_ZERO, "")
    for pattern in (_CLOCK, _WORDS):
        if found.null_count() == text.null_count():
            break
        found = found.zip_with(found.is_not_null(), _added(text.set(found.is_not_null(), None), pattern))
    return found


def _added(text: pl.Series, pattern: str) -> pl.Series:
    """Sum of the parts named in `pattern`, in seconds; null where none matches."""
    parts = text.str.extract_groups(pattern).struct.unnest()
    total = pl.repeat(0.0, len(text), dtype=pl.Float64, eager=True)
    there = pl.repeat(False, len(text), dtype=pl.Boolean, eager=True)
    for name, worth in _WORTH:
        if name in parts.columns:
            part = parts[name].str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
            there |= part.is_not_null()
            total += part.fill_null(0.0) * worth
    return total.set(~there, None)
