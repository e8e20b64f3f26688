"""Age of a holder as the register tells it: a band of years, never a date of birth."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from duanka.domain.text import WordedEnum


class AgeBand(WordedEnum):
    """Bands of age, in years; values of `cards.age_band`."""

    MINOR = "0-17", "18岁以下", "under 18"
    YOUNG = "18-29", "18至29岁", "18 to 29"
    MIDDLE = "30-44", "30至44岁", "30 to 44"
    LATER = "45-59", "45至59岁", "45 to 59"
    OLD = "60+", "60岁及以上", "60 or over"


_DASHES = str.maketrans("‐‑‒–—−~至", "--------", " 岁")


@lru_cache(maxsize=1024)  # asked of every party of a card, with few different texts
def age_band_of(text: str | None) -> AgeBand | None:
    """The band that `text` writes, with any dash; None: empty, or another band, whose years would be a guess."""
    plain = unicodedata.normalize("NFKC", text or "").translate(_DASHES)
    return next((band for band in AgeBand if plain in (band, band.words.zh.translate(_DASHES))), None)
