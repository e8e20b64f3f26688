"""Values as text, without decoration by programs, spreadsheets and keyboards."""

from __future__ import annotations

import unicodedata

import polars as pl

BIGGEST = float(2**53)
"""Up to here a float holds every integer."""

_BIGGEST_SHORT = float(2**24)  # the same for a 4-byte float; larger values may have been rounded
_NOT_EXACT = "e0"  # suffix of rounded values: still a valid amount, but not a valid phone number
_NO_FRACTION = "[.]0+$"
_FORMULA = '^="(.*)"$'
_INVISIBLE = r"[\p{Cf}\p{Cc}]"
_EXPONENT = r"^(?<a>[1-9])[.](?<b>[0-9]+)[eE][+]?(?<e>[0-9]{1,2})$"
_QUOTED = r"^(?:\"([^\"]*)\"|'([^']*)'?)$"


def as_text(series: pl.Series) -> pl.Series:
    """Return `series` as text, whole floats and decimals without `.0`.

    Programs turn phone numbers into floats. A float that may have been rounded is written so that it is no
    valid phone number.
    """
    if series.dtype == pl.String:
        return series
    if series.dtype.is_float():
        return _of_floats(series)
    if series.dtype.is_decimal():
        return series.cast(pl.String).str.replace(_NO_FRACTION, "")
    return series.cast(pl.String)


def _of_floats(series: pl.Series) -> pl.Series:
    short = series.dtype != pl.Float64
    series = series.cast(pl.Float64)
    most = _BIGGEST_SHORT if short else BIGGEST
    whole = ((series == series.floor()) & (series.abs() <= most)).fill_null(False)
    digits = series.set(~whole, None).cast(pl.Int64).cast(pl.String)
    text = series.cast(pl.String)
    if short:
        text = text.zip_with(~(series.abs() > _BIGGEST_SHORT).fill_null(False), text + _NOT_EXACT)
    return digits.zip_with(whole, text)


def trimmed(series: pl.Series) -> pl.Series:
    """Return `series` as text without surrounding blanks or the formula `="…"`."""
    text = as_text(series).str.strip_chars()
    if text.str.starts_with('="').any():
        text = text.str.replace(_FORMULA, "${1}").str.strip_chars()
    return text


def undecorated(text: pl.Series) -> pl.Series:
    """Return `text` with ASCII digits, without invisible characters and outer quotes.

    The meaning is unchanged. For speed, apply this function only to values that could not be parsed.
    """
    plain = text.str.normalize("NFKC").str.replace_all(_INVISIBLE, "").str.replace_all(r"[\p{Pd}−]", "-")
    if plain.str.contains(r"[^\x00-\x7f]").any():
        distinct = plain.unique().drop_nulls()
        digits = [_ascii_digits(one) for one in distinct.to_list()]
        plain = plain.replace(distinct, pl.Series(digits, dtype=pl.String))
    return plain.str.strip_chars().str.replace(_QUOTED, "${1}${2}").str.strip_chars()


def without_exponent(text: pl.Series) -> pl.Series:
    """Write out integers in scientific notation, if no digit was lost."""
    if not text.str.contains(_EXPONENT).any():
        return text
    parts = text.str.extract_groups(_EXPONENT).struct.unnest()
    exponent = parts["e"].cast(pl.Int64, strict=False)
    digits = parts["a"] + parts["b"].str.slice(0, exponent)
    whole = (parts["b"].str.len_bytes() >= exponent) & ~parts["b"].str.slice(exponent).str.contains("[1-9]")
    return digits.zip_with(whole.fill_null(False), text)


def _ascii_digits(text: str) -> str:
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(letter, letter)) for letter in text)
