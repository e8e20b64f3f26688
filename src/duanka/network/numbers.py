"""A number as a signalling message writes it -> E.164 without +, as cards are named."""

from __future__ import annotations

import re

_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_MARKS = str.maketrans("", "", "+-. ()")


def number_of(written: str) -> str:
    """`+86 138…`, `0086138…`, `138…` -> `86138…`; short codes and what is no number as they stand."""
    plain = written.translate(_MARKS)
    plain = plain.removeprefix("00")
    return f"86{plain}" if _MOBILE.fullmatch(plain) else plain
