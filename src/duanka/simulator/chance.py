"""Stateless random draws: values are hashes of a seed and keys.

Favourite contacts, phones and places of a card are hashes of (card, rank), so nothing is stored between days.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Hash = NDArray[np.uint64]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rng = np.random.Generator

_STEP = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)


def mix(values: Hash) -> Hash:
    """Return hashed 64-bit words: finaliser of splitmix64 (Steele, Lea, Flood 2014)."""
    mixed = values + _STEP
    mixed ^= mixed >> np.uint64(30)
    mixed *= _M1
    mixed ^= mixed >> np.uint64(27)
    mixed *= _M2
    mixed ^= mixed >> np.uint64(31)
    return mixed


def hashed(keys: Hash, *more: Ints | Hash | int) -> Hash:
    """Hash `keys` with further keys (arrays of equal length, or one number for all)."""
    result = mix(keys)
    for key in more:
        if isinstance(key, int):
            result = mix(result ^ np.uint64(key * int(_STEP) & 0xFFFFFFFFFFFFFFFF))
        else:
            result = mix(result ^ (key.astype(np.uint64, copy=False) * _STEP))
    return result


def unit(words: Hash) -> Floats:
    """Map hashes to numbers in [0, 1)."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def below(words: Hash, limit: Ints | int) -> Ints:
    """Map hashes to integers in [0, limit)."""
    return np.asarray(unit(words) * limit, dtype=np.int64)


def generator(seed: int, *where: int) -> Rng:
    """Return a random generator; equal `seed` and `where` give equal draws."""
    return np.random.default_rng(np.random.SeedSequence([seed, *where]))


def words(rng: Rng, count: int) -> Hash:
    """Draw `count` hashes that depend on no key."""
    return rng.integers(0, 2**64, count, dtype=np.uint64)


def apportion(total: int, shares: dict[str, float]) -> dict[str, int]:
    """Split `total` into integers in proportion to `shares`, by largest remainder."""
    weight = sum(shares.values())
    exact = {name: total * share / weight for name, share in shares.items()} if weight else {}
    parts = {name: int(value) for name, value in exact.items()}
    rest = total - sum(parts.values())
    for name in sorted(exact, key=lambda n: parts[n] - exact[n])[:rest]:
        parts[name] += 1
    return parts
