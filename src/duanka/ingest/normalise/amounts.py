"""Amounts as people and spreadsheets write them -> floats: `86`, `86,5`, `1.234.567,8`, `1 234`, `8.6E1`.

A comma or point with three digits behind it (`1,234`) may divide thousands or a fraction: it says no amount.
"""

from __future__ import annotations

import polars as pl

_THOUSANDS = (
    r"^([+-]?[0-9]{1,3}(?:(?:,[0-9]{3}){2,}|(?:[ '’\x{a0}\x{202f}][0-9]{3})+|(?:,[0-9]{3})+[.][0-9]+))$"
)
_COMMA = r"^[+-]?(?:[0-9]+|[0-9]{1,3}(?:[. ][0-9]{3})+),(?:[0-9]{1,2}|[0-9]{4,})$"
_POINTS = r"^[+-]?[0-9]{1,3}(?:[.][0-9]{3}){2,}$|^[+-]?[0-9]{1,3}(?:[. ][0-9]{3})+,[0-9]+$"


def amounts(text: pl.Series) -> pl.Series:
    """Return what trimmed `text` says as floats; null where it is no finite number."""
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
