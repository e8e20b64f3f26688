"""An invented province, where no place is real: places, cells, operators, numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from duanka.simulator.chance import Floats, Hash, Ints, below, hashed, mix, unit

CITIES, COUNTIES = 12, 8  # six-digit codes 9901..9912 x 01..08
ELSEWHERE = 40  # counties of other invented provinces, 9701..9740
ABROAD = ("980101", "980102", "980103", "980201", "980202", "980301", "980302", "980401")

HIGH_RISK_AREAS = (("990201", "Invented town of Hekou"), ("990705", "Invented county of Shiqiao"))
FRAUD_PRONE_PLACES = (
    ("980101", "Invented river town abroad"),
    ("980102", "Invented casino strip abroad"),
    ("980301", "Invented port abroad"),
)
AUTHORITY = "Invented Joint Meeting of the invented province (simulator)"
BORDER_CITY = 0  # counties 990101.. lie on the border with 980101 and 980201

OPERATORS = ("Yunling Mobile", "Jinhe Communications", "Baitai Telecom")
RESALE = ("Lehe Resale", "Xinyou Resale")
_PREFIXES: tuple[tuple[int, ...], ...] = (
    (134, 135, 136, 137, 138, 139, 150, 151, 152, 158, 159, 182, 183, 187, 188),
    (130, 131, 132, 155, 156, 185, 186),
    (133, 153, 180, 181, 189, 199),
    (165, 170, 171),
    (162, 167),
)
_IOT_PREFIXES = (146, 148)
_AREA_CODES = np.array(
    [10, 21, 22, 23, 24, 25, 27, 28, 29, 371, 531, 571, 591, 731, 755, 771], dtype=np.int64
)
_COUNTRIES = np.array([852, 853, 855, 95, 66, 84, 63, 60, 856, 971, 1, 44], dtype=np.int64)

BANKS = np.array(
    [95588, 95533, 95599, 95566, 95555, 95559, 95568, 95561, 95580, 95595, 95511, 95508], dtype=np.int64
)
OPERATOR_LINES = np.array([10086, 10010, 10000], dtype=np.int64)
PUBLIC_LINES = np.array([12306, 12345, 12315, 96110, 95338, 95311, 95105], dtype=np.int64)
EMERGENCY = np.array([110, 120, 119], dtype=np.int64)
# Sender numbers of platforms: 1069 and invented digits; few of them send most messages.
PLATFORMS = 1_069_000_000 + (np.arange(240, dtype=np.int64) * 40_503 + 17_017) % 1_000_000


@dataclass(frozen=True)
class Places:
    """All places where a card can be seen: home counties, other provinces, abroad.

    codes: six-digit text per place. first_cell, cells: index of the place's first cell in `cell_names`, and number of
    its cells.
    """

    codes: pl.Series
    cell_names: pl.Series
    first_cell: Ints
    cells: Ints
    weight: Floats  # of the home counties, sums to 1
    home: int
    high_risk: Ints
    fraud_prone: Ints
    border_abroad: Ints

    @property
    def elsewhere(self) -> tuple[int, int]:
        """First and last+1 index of the counties of other provinces."""
        return self.home, self.home + ELSEWHERE

    @property
    def abroad(self) -> tuple[int, int]:
        """First and last+1 index of the places abroad."""
        return self.home + ELSEWHERE, self.home + ELSEWHERE + len(ABROAD)

    def near(self, words: Hash, county: Ints) -> Ints:
        """Pick a place near `county` by hash: same city 55%, province 38%, outside 7%."""
        kind = unit(mix(words))
        same_city = county // COUNTIES * COUNTIES + below(words, COUNTIES)
        province = below(words, self.home)
        outside = self.home + below(words, ELSEWHERE)
        return np.where(kind < 0.55, same_city, np.where(kind < 0.93, province, outside))


def build_places(cards: int) -> Places:
    """Create the places of a world of `cards` cards, with about one cell per 60 cards."""
    codes = [f"99{c:02d}{k:02d}" for c in range(1, CITIES + 1) for k in range(1, COUNTIES + 1)]
    home = len(codes)
    # City sizes follow a Zipf-like law; the first county of a city is its centre and twice as large.
    weight = np.array(
        [(2.0 if k == 0 else 1.0) / (c + 1.0) ** 0.7 for c in range(CITIES) for k in range(COUNTIES)]
    )
    weight /= weight.sum()
    codes += [f"97{k:02d}01" for k in range(1, ELSEWHERE + 1)]
    codes += list(ABROAD)
    cells = np.full(len(codes), 25, dtype=np.int64)
    cells[:home] = np.maximum(12, (cards * weight / 60).astype(np.int64))
    first = np.concatenate(([0], np.cumsum(cells)[:-1]))
    names = [f"{code}{k:05d}" for code, count in zip(codes, cells, strict=True) for k in range(1, count + 1)]
    index = {code: i for i, code in enumerate(codes)}
    return Places(
        codes=pl.Series("city", codes),
        cell_names=pl.Series("cell", names),
        first_cell=first.astype(np.int64),
        cells=cells,
        weight=weight,
        home=home,
        high_risk=np.array([index[code] for code, _ in HIGH_RISK_AREAS], dtype=np.int64),
        fraud_prone=np.array([index[code] for code, _ in FRAUD_PRONE_PLACES], dtype=np.int64),
        border_abroad=np.array([index["980101"], index["980201"]], dtype=np.int64),
    )


def own_numbers(keys: Hash, operator: Ints, iot: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Ints:
    """Return one number 861xx5ddddddd per card; the last seven digits are unique."""
    count = len(keys)
    tail = (np.arange(count, dtype=np.int64) * 7_368_787 + 1_234_577) % 10_000_000
    prefix = np.zeros(count, dtype=np.int64)
    for code, choices in enumerate(_PREFIXES):
        at = operator == code
        prefix[at] = np.array(choices, dtype=np.int64)[below(hashed(keys[at], 31), len(choices))]
    prefix[iot] = np.array(_IOT_PREFIXES, dtype=np.int64)[below(hashed(keys[iot], 32), len(_IOT_PREFIXES))]
    return (86_000 + prefix) * 100_000_000 + 50_000_000 + tail


def foreign_to_us(words: Hash) -> Ints:
    """Map hashes to numbers outside the province: mobiles and, one in 16, landlines.

    In the mobiles, the digit after the prefix is never 5, which marks the province's own: see `own_numbers`.
    """
    flat = np.array([p for group in _PREFIXES for p in group], dtype=np.int64)
    low = (words % np.uint64(90_000_000)).astype(np.int64)
    high = words >> np.uint64(40)
    tail = np.where(low >= 50_000_000, low + 10_000_000, low)
    mobile = (86_000 + flat[(high % np.uint64(len(flat))).astype(np.int64)]) * 100_000_000 + tail
    area = _AREA_CODES[(high % np.uint64(len(_AREA_CODES))).astype(np.int64)]
    wired = np.where(area < 100, 8_600 + area, 86_000 + area) * 100_000_000 + 20_000_000 + low % 60_000_000
    return np.where((words >> np.uint64(32)) % np.uint64(16) == 0, wired, mobile)


def numbers_abroad(words: Hash) -> Ints:
    """Map hashes to numbers of other countries (E.164 without +)."""
    country = _COUNTRIES[(words >> np.uint64(40)).astype(np.int64) % len(_COUNTRIES)]
    return country * 100_000_000 + 20_000_000 + (words % np.uint64(70_000_000)).astype(np.int64)


def platform_numbers(words: Hash, variety: Ints | int) -> Ints:
    """Map hashes to one of `variety` platform numbers, a few of them most often."""
    rank = np.asarray(np.power(np.asarray(variety, dtype=np.float64) + 1.0, unit(words)), dtype=np.int64) - 1
    return PLATFORMS[np.minimum(rank, len(PLATFORMS) - 1)]
