"""Masks numbers for readers who need to recognise a card, not to call it."""

from __future__ import annotations

import re

_MASK = "****"
# Country codes of one, two and three digits (ITU-T E.164).
_COUNTRY = re.compile(r"[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[0-9]{3}")
_E164 = re.compile(r"[1-9][0-9]{7,14}")
# From here on a run of digits inside a text can be a person's number or a device; shorter ones are counts,
# dates, short codes and city codes.
_LONG_RUN = re.compile(r"[0-9]{11,}")


def spelled_card(card: str) -> str:
    """The number as people read it: `+86 13800000001`; opaque text as it stands."""
    if not _E164.fullmatch(card):
        return card
    country, national = _parts(card)
    return f"+{country} {national}"


def masked_card(card: str) -> str:
    """`8613800000001` -> `+86 138****0001`; of a short or opaque one less is shown, never more than half."""
    if _E164.fullmatch(card):
        country, national = _parts(card)
        if len(national) >= 9:
            return f"+{country} {national[:3]}{_MASK}{national[-4:]}"
        return f"+{country} {_MASK}{national[-2:]}"
    if len(card) >= 14:
        return f"{card[:3]}{_MASK}{card[-4:]}"
    return f"{_MASK}{card[-2:]}" if len(card) >= 6 else _MASK


def masked_device(imei: str) -> str:
    """The type (first eight digits) and the last three: the maker stays readable, the one device does not."""
    if len(imei) >= 14 and imei.isdigit():
        return f"{imei[:8]}{_MASK}{imei[-3:]}"
    return masked_card(imei) if not imei.isdigit() else f"{_MASK}{imei[-3:]}"


def masked_text(text: str) -> str:
    """`text` with every long run of digits in it masked: names and evidence can quote a number."""
    return _LONG_RUN.sub(lambda run: f"{run[0][:3]}{_MASK}{run[0][-4:]}", text)


def _parts(number: str) -> tuple[str, str]:
    """Country code and the rest."""
    found = _COUNTRY.match(number)
    end = found.end() if found else 0
    return number[:end], number[end:]
