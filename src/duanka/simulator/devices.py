"""Phone of each card on each day: own phones, or slots of a gang's devices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from duanka.simulator.chance import Hash, Ints, Rng, below, hashed, mix
from duanka.simulator.traits import Traits

# Spring Festival dates of the years that a simulated window is likely to cover.
_SPRING_FESTIVALS = tuple(
    date.fromisoformat(day)
    for day in (
        "2019-02-05",
        "2020-01-25",
        "2021-02-12",
        "2022-02-01",
        "2023-01-22",
        "2024-02-10",
        "2025-01-29",
    )
)


def imeis(words: Hash, sim_slot: Ints) -> Ints:
    """Map hashes to IMEIs 8690… with a valid check digit; `sim_slot` is added to the serial number."""
    fourteen = (86_900_000 + below(words, 9_000)) * 1_000_000 + (mix(words) % np.uint64(999_998)).astype(
        np.int64
    )
    fourteen = fourteen + sim_slot
    total, rest = np.zeros(len(words), dtype=np.int64), fourteen.copy()
    for position in range(14):
        digit = rest % 10
        rest //= 10
        if position % 2 == 0:  # Luhn doubles every second digit from the right of the payload
            digit = digit * 2
            digit = np.where(digit > 9, digit - 9, digit)
        total += digit
    return fourteen * 10 + (-total) % 10


def festive(day: date) -> float:
    """Factor on phone changes of honest cards, high at New Year and Spring Festival."""
    new_year = day.month == 1 and day.day <= 6
    spring = any(abs((day - feast).days - 3) <= 4 for feast in _SPRING_FESTIVALS)
    return 6.0 if new_year or spring else 1.0


@dataclass
class DevicePool:
    """The phones of all cards on the current day."""

    traits: Traits
    version: Ints  # number of the current phone among the card's own
    newest: Ints
    imei: Ints  # 15 digits, per card

    def text(self) -> pl.Series:
        """Return the current IMEIs as text, one per card."""
        return pl.Series("imei", self.imei).cast(pl.String)


def first_devices(traits: Traits) -> DevicePool:
    """Put every card into its first phone."""
    zero = np.zeros(traits.count, dtype=np.int64)
    devices = DevicePool(traits, zero, zero.copy(), zero.copy())
    devices.imei = sitting_in(devices, np.arange(traits.count, dtype=np.int64), 0)
    return devices


def next_day(devices: DevicePool, day: int, today: date, rng: Rng) -> None:
    """Advance to `day`: change some phones and rotate cards over gang slots."""
    t = devices.traits
    chance = np.where(t.strategy == 0, t.swap * festive(today), t.swap)
    swapping = np.flatnonzero(rng.random(t.count) < np.minimum(chance, 0.95))
    returning = (rng.random(len(swapping)) < t.back[swapping]) & (devices.newest[swapping] > 0)
    earlier = (rng.random(len(swapping)) * devices.newest[swapping]).astype(np.int64)
    fresh = devices.newest[swapping] + 1
    devices.version[swapping] = np.where(returning, earlier, fresh)
    devices.newest[swapping] = np.where(returning, devices.newest[swapping], fresh)
    changed = np.union1d(swapping, np.flatnonzero(t.shift_key >= 0))
    devices.imei[changed] = sitting_in(devices, changed, day)


def shift_of(shift_key: Ints, day: int) -> Ints:
    """Slots that a device's cards have moved by `day`; `shift_key` % 100: days per move, 0: they stay."""
    pace = shift_key % 100
    return np.where(pace > 0, (day + shift_key // 100 % 7) // np.maximum(pace, 1), 0)


def sitting_in(devices: DevicePool, at: Ints, day: int) -> Ints:
    """Return the IMEIs of the phones or slots that the cards `at` sit in on `day`."""
    t = devices.traits
    version = devices.version[at]
    own = imeis(hashed(t.device[at], 61, version), t.sim_slot[at])
    pooled = np.flatnonzero(t.pool[at] >= 0)
    card = at[pooled]
    moving = t.shift_key[card] >= 0
    together = t.slot[card] + shift_of(np.maximum(t.shift_key[card], 0), day)
    alone = t.slot[card] + below(hashed(t.key[card], 62, version[pooled]), 1 << 30)
    slot = t.pool[card] + np.where(moving, together, alone) % np.maximum(t.pool_size[card], 1)
    own[pooled] = imeis(hashed(mix(slot.astype(np.uint64)), 63), np.zeros(len(card), dtype=np.int64))
    return own
