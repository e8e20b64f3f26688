"""Device identities from IMEIs, for whole columns."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from duanka.domain import device_id as device
from duanka.ingest.model.value_text import undecorated, without_exponent

_BEFORE = r"(?i)^(?:urn:gsma:)?imei(?:sv)?[ :=]*"
_BETWEEN = r"[\s/.,-]"  # 35-209900-176148-1
_AFTER = r"(?i)^([0-9]{14,16})f{1,2}$"  # filler of the last octet in charging records
_NO_DEVICE = r"(?i)^(?:[fx*?]+|unknown|unavailable|null|none|nil|n/?a|未知|无|空|暂无)$"


class Devices(NamedTuple):
    """Device identities (14 digits, null if unknown), and mask of placeholder IMEIs."""

    identities: pl.Series
    placeholders: pl.Series


def devices(text: pl.Series) -> Devices:
    """Parse IMEIs; invalid ones have no identity and are not placeholders."""
    written = text.str.contains(device.WRITTEN).fill_null(True)
    nothing = pl.repeat(False, len(text), dtype=pl.Boolean, eager=True)
    if not written.all():
        text = imei_digits(text)
        written = text.str.contains(device.WRITTEN).fill_null(True)
        nothing = text.str.contains(_NO_DEVICE).fill_null(False)
    first = text.str.slice(0, device.DIGITS)
    placeholders = first.str.contains(device.PLACEHOLDER).fill_null(False) | nothing
    unknown = ~written | placeholders
    return Devices(first.set(unknown, None) if unknown.any() else first, placeholders)


def imei_digits(text: pl.Series) -> pl.Series:
    """Return the digits of IMEIs, without separators, decoration and filler."""
    plain = without_exponent(undecorated(text)).str.replace("[.]0+$", "")
    return plain.str.replace(_BEFORE, "").str.replace_all(_BETWEEN, "").str.replace(_AFTER, "${1}")
