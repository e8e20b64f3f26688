"""Tells by comparing integers which digits match a numbering plan: much faster than matching text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt
import polars as pl

MOST_DIGITS = 18  # digits that fit into a signed integer of 64 bits
_TENS = 10 ** np.arange(MOST_DIGITS + 1, dtype=np.int64)
_ITEM = re.compile(r"([0-9]|\[[0-9-]+\])(?:\{([0-9]+)(?:,([0-9]+))?\})?")
_ANY = "0123456789"

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def integers(text: pl.Series) -> Integers:
    """The integer of each text that is just its 1 to 18 digits; 0 for any other text, and for null."""
    numbers = text.cast(pl.Int64, strict=False).fill_null(0).to_numpy()
    lengths = text.str.len_bytes().fill_null(0).to_numpy()
    # a sign, a blank or a zero in front would make the text longer than its number
    digits = np.clip(lengths, 1, MOST_DIGITS)
    itself = (numbers >= _TENS[digits - 1]) & (numbers < _TENS[digits]) & (lengths <= MOST_DIGITS)
    return numbers if itself.all() else np.where(itself, numbers, 0)


class DigitRanges:
    """Classes of the integers of 1 to 18 digits, by patterns of their digits.

    `classes`: the patterns of each. A pattern has digits and classes of digits (`[3-689]`), each perhaps repeated
    (`{9}`, `{2,7}`), and does not begin with 0. An integer belongs to the first class with a pattern that it matches.
    """

    def __init__(self, *classes: Sequence[str]) -> None:
        spans = [sorted(span for pattern in patterns for span in _spans(pattern)) for patterns in classes]
        edges = sorted({edge for some in spans for first, last in some for edge in (first, last + 1)})
        self._edges = np.array(edges, np.int64)
        self._classes = np.zeros(len(edges) + 1, np.uint8)
        for number, some in reversed(list(enumerate(spans, start=1))):
            for first, last in some:
                begin, end = np.searchsorted(self._edges, (first, last + 1))
                self._classes[begin + 1 : end + 1] = number

    def of(self, numbers: Integers) -> npt.NDArray[np.uint8]:
        """Number of the class (from 1) of each integer; 0: none."""
        found: npt.NDArray[np.uint8] = self._classes[np.searchsorted(self._edges, numbers, side="right")]
        return found


def _spans(pattern: str) -> Iterator[tuple[int, int]]:
    """First and last integer of each run of those that match."""
    items = [
        (_digits(found[1]), int(found[2] or 1), int(found[3] or found[2] or 1)) for found in _items(pattern)
    ]
    for counts in product(*(range(least, most + 1) for _, least, most in items)):
        places = [digits for (digits, _, _), count in zip(items, counts, strict=True) for _ in range(count)]
        if not 0 < len(places) <= MOST_DIGITS:
            continue
        tail = 0
        while tail < len(places) and places[-1 - tail] == _ANY:
            tail += 1
        for digits in product(*places[: len(places) - tail]):
            first = int("".join(digits) or "0") * 10**tail
            yield first, first + 10**tail - 1


def _items(pattern: str) -> Iterator[re.Match[str]]:
    at = 0
    while at < len(pattern):
        found = _ITEM.match(pattern, at)
        if found is None:
            raise ValueError(pattern)
        yield found
        at = found.end()


def _digits(text: str) -> str:
    """The digits of a class, or the digit itself, in order."""
    return "".join(digit for digit in _ANY if re.fullmatch(text, digit))
