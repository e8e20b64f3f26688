"""Filter that tells rows whose hash was certainly not there before: a few bits a row, whatever the number of rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

_LEAST_BITS, _MOST_BITS = 24, 29  # powers of two: 2 and 64 MB

Hashes = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]


class SeenHashes:
    """The hashes of the rows so far. `octets`: of the delivery; a row has about as many bits as octets."""

    def __init__(self, octets: int = 0) -> None:
        bits = min(max(octets.bit_length(), _LEAST_BITS), _MOST_BITS)
        self._shift = np.uint64(64 - bits)
        self._bits = np.zeros(1 << (bits - 3), np.uint8)

    def again(self, hashes: Hashes) -> Mask:
        """Add rows; return the mask of those whose hash may have been there before, in these rows or earlier.

        A row outside it is the first with its hash.
        """
        places = hashes >> self._shift
        octets = (places >> np.uint64(3)).astype(np.int64)
        bits = np.left_shift(np.uint8(1), (places & np.uint64(7)).astype(np.uint8))
        seen: Mask = (self._bits[octets] & bits) != 0
        np.bitwise_or.at(self._bits, octets, bits)
        ordered = np.sort(hashes)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        if len(twice):
            rows = np.flatnonzero(np.isin(hashes, twice))
            seen[rows] |= ~pl.Series(hashes[rows]).is_first_distinct().to_numpy()
        return seen
