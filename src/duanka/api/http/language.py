"""The language that a client asks for by `Accept-Language`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header

from duanka.domain.text import Language

_MOST_RANGES = 20  # that are read; browsers send a handful
_DEFAULT: Language = "zh"


def language_of(accepted: str | None) -> Language:
    """Chinese or English, whichever weighs more (RFC 9110, 12.5.4); of equal ones the first; Chinese if neither."""
    best: Language = _DEFAULT
    most = 0.0
    for one in (accepted or "").split(",")[:_MOST_RANGES]:
        tag, _, weight = one.partition(";")
        language = tag.strip().lower().partition("-")[0]
        weighs = _weight(weight)
        if weighs > most and language in ("zh", "en", "*"):
            best, most = "en" if language == "en" else "zh", weighs
    return best


def _weight(text: str) -> float:
    name, _, value = text.strip().partition("=")
    if not name:
        return 1.0
    try:
        return min(float(value), 1.0) if name.strip().lower() == "q" else 0.0
    except ValueError:
        return 0.0


def _asked(
    accept_language: Annotated[
        str | None, Header(description="zh or en (语言); Chinese where it names neither.", examples=["en"])
    ] = None,
) -> Language:
    return language_of(accept_language)


AskedLanguage = Annotated[Language, Depends(_asked)]
