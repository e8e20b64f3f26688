"""Parses amounts of people and spreadsheets: `86`, `86,5`, `1.234.567,8`, `8.6E1`.

A single comma or point before three digits (`1,234`) is ambiguous (thousands or fraction) and gives null.
"""

from __future__ import annotations

import polars as pl

_THOUSANDS = (
    r"^([+-]?[0-9]{1,3}(?:(?:,[0-9]{3}){2,}|(?:[ '’\x{a0}\x{202f}][0-9]{3})+|(?:,[0-9]{3})+[.][0-9]+))$"
)
_COMMA = r"^[+-]?(?:[0-9]+|[0-9]{1,3}(?:[. ][0-9]{3})+),(?:[0-9]{1,2}|[0-9]{4,})$"
_POINTS = r"^[+-]?[0-9]{1,3}(?:[.][0-9]{3}){2,}$|^[+-]?[0-9]{1,3}(?:[. ][0-9]{3})+,[0-9]+$"


def amounts(text: pl.Series) -> pl.Series:
    """Parse trimmed `text` to floats; null unless a finite, unambiguous number."""
    found = _cast(text)
    if found.null_count() == text.null_count():
        return found
    odd = text.set(found.is_not_null(), None)
    thousands = odd.set(~odd.str.contains(_THOUSANDS).fill_null(False), None)
    european = odd.str.contains(_COMMA) | odd.str.contains(_POINTS)
    comma = odd.set(~european.fill_null(False), None)
    for changed in (
        thousands.str.replace_all(r"[, '’\x{a0}\x{202f}]", ""),
        comma.str.replace_all("[. ]", "").str.replace(",", ".", literal=True),
    ):
        if changed.null_count() < len(changed):
            found = found.zip_with(found.is_not_null(), _cast(changed))
    return found


def _cast(text: pl.Series) -> pl.Series:
    found = text.cast(pl.Float64, strict=False)
    return found.set(~found.is_finite().fill_null(True), None)
