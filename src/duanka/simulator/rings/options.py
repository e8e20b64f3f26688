"""What a world with rings holds: options, and the sizes that follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from duanka.domain.errors import DuankaError

GangMix = Literal["standard", "r11"]
ImeiPer = Literal["box", "port"]

SMALLEST_WORLD = 2_000  # cards; below it the gang would be most of a county
FULL_WORLD = 1_000_000  # cards from which the gang of R11 has its full size
# The case of SPECIFICATION R11: 15 devices, 13,000 cards, 5,800 of them at one of two sites.
R11_CARDS, R11_BOXES, R11_FIRST_SITE = 13_000, 15, 5_800
R11_SCALE = 0.013  # cards of the gang per card of a smaller world
FEWEST_CARDS, FEWEST_BOXES = 60, 5
DRAWER = 0.23  # share of the cards that were never used (K)


@dataclass(frozen=True)
class RingOptions:
    """What to add to a standard world.

    `gangs`: "r11" adds the gang of the R11 case. `imei_per`: what an IMEI of that gang's boxes stands for, the whole
    box or one port of it.
    """

    gangs: GangMix = "standard"
    imei_per: ImeiPer = "box"

    @property
    def asked(self) -> bool:
        """Whether anything is added to the standard world."""
        return self.gangs != "standard"

    def toml(self) -> list[str]:
        """Return the lines of world.toml that say what was added."""
        if not self.asked:
            return []
        return [f'gangs = "{self.gangs}"', f'imei_per = "{self.imei_per}"']

    def check(self, cards: int) -> None:
        """Raise DuankaError where an option is out of range or the world is too small for it."""
        for value, known in ((self.gangs, get_args(GangMix)), (self.imei_per, get_args(ImeiPer))):
            if value not in known:
                raise DuankaError(f"no choice {value!r}; take one of {', '.join(known)}")
        if self.asked and cards < SMALLEST_WORLD:
            raise DuankaError(
                f"{cards} cards are too few for the gangs asked for; ask for at least {SMALLEST_WORLD}"
            )


@dataclass(frozen=True)
class GangSize:
    """Size of one gang. `used`, `stock`: cards per site, in boxes and in the drawer; `boxes`: per site."""

    name: str
    used: tuple[int, ...]
    stock: tuple[int, ...]
    boxes: tuple[int, ...]
    operators: int
    minders: int
    suppliers: int
    stalls: int

    @property
    def cards(self) -> int:
        """Number of cards, people included."""
        return sum(self.used) + sum(self.stock) + self.people

    @property
    def people(self) -> int:
        """Number of cards of operators, minders and suppliers."""
        return self.operators + self.minders + self.suppliers


def r11_size(cards: int) -> GangSize:
    """Return the size of the R11 gang in a world of `cards` cards."""
    part = min(1.0, cards / FULL_WORLD)
    total = R11_CARDS if part == 1.0 else max(FEWEST_CARDS, round(R11_SCALE * cards))
    boxes = round(FEWEST_BOXES + (R11_BOXES - FEWEST_BOXES) * part)
    first = round(total * R11_FIRST_SITE / R11_CARDS)
    sites = (first, total - first)
    stock = tuple(round(cards_there * DRAWER) for cards_there in sites)
    here = int(np.clip(round(boxes * R11_FIRST_SITE / R11_CARDS), 1, boxes - 1))

    def people(full: int, fewest: int) -> int:
        return max(fewest, round(full * math.sqrt(part)))

    return GangSize(
        "R11",
        tuple(n - drawer for n, drawer in zip(sites, stock, strict=True)),
        stock,
        (here, boxes - here),
        operators=people(14, 3),
        minders=people(22, 4),
        suppliers=people(14, 5),
        stalls=4 if part > 0.1 else 3,
    )
