"""What a world with rings holds: options, and the sizes that follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from duanka.domain.errors import DuankaError
from duanka.simulator.rings.knobs import LEVELS, Knobs

GangMix = Literal["standard", "r11"]
ImeiPer = Literal["box", "port"]

SMALLEST_WORLD = 2_000  # cards; below it the gang would be most of a county
FULL_WORLD = 1_000_000  # cards from which the gang of R11 has its full size
# The case of SPECIFICATION R11: 15 devices, 13,000 cards, 5,800 of them at one of two sites.
R11_CARDS, R11_BOXES, R11_FIRST_SITE = 13_000, 15, 5_800
R11_SCALE = 0.013  # cards of the gang per card of a smaller world
FEWEST_CARDS, FEWEST_BOXES = 60, 5
DRAWER = 0.23  # share of the cards that were never used (K)
SMALL_DRAWER = 0.1  # of a gang that buys cards one by one, as it needs them
MOST_RINGED = 0.3  # share of a world that careful gangs may have
ROAMING_LEVEL = 3  # from here on cards go from city to city
SINGLY_LEVEL = 5  # and here they are bought one by one


@dataclass(frozen=True)
class RingOptions:
    """What to add to a standard world.

    `gangs`: "r11" adds the gang of the R11 case. `imei_per`: what an IMEI of that gang's boxes stands for, the whole
    box or one port of it. `adversary`: level of care, 1 to 5, of `careful_gangs` gangs of `careful_cards` cards each;
    None: no such gangs. `bridged`: share of the cards of all these gangs that something links to an honest card.
    `knobs`: settings of the careful gangs' boxes, instead of those drawn for their level; to measure one by itself.
    """

    gangs: GangMix = "standard"
    imei_per: ImeiPer = "box"
    adversary: int | None = None
    careful_gangs: int = 4
    careful_cards: int = 200
    bridged: float = 0.0
    knobs: Knobs | None = None

    @property
    def asked(self) -> bool:
        """Whether anything is added to the standard world."""
        return self.gangs != "standard" or self.adversary is not None

    def toml(self) -> list[str]:
        """Return the lines of world.toml that say what was added."""
        lines = [f'gangs = "{self.gangs}"', f'imei_per = "{self.imei_per}"', f"bridged = {self.bridged}"]
        if self.adversary is not None:
            lines += [
                f"{name} = {getattr(self, name)}" for name in ("adversary", "careful_gangs", "careful_cards")
            ]
        if self.knobs:
            lines += [f'knobs = "{self.knobs}"']
        return lines if self.asked else []

    def check(self, cards: int) -> None:
        """Raise DuankaError where an option is out of range or the world is too small for it."""
        for value, known in ((self.gangs, get_args(GangMix)), (self.imei_per, get_args(ImeiPer))):
            if value not in known:
                raise DuankaError(f"no choice {value!r}; take one of {', '.join(known)}")
        if self.adversary is not None and self.adversary not in LEVELS:
            raise DuankaError(f"no level {self.adversary} of the adversary; take 1 to 5")
        if not 0 <= self.bridged <= 1:
            raise DuankaError(f"a share of {self.bridged} bridged cards is out of range; take 0 to 1")
        if self.careful_gangs < 1 or self.careful_cards < FEWEST_CARDS:
            raise DuankaError(
                f"{self.careful_gangs} gangs of {self.careful_cards} cards cannot be; take 1 gang of {FEWEST_CARDS} "
                "cards or more"
            )
        if self.asked and cards < SMALLEST_WORLD:
            raise DuankaError(
                f"{cards} cards are too few for the gangs asked for; ask for at least {SMALLEST_WORLD}"
            )
        careful = self.careful_gangs * self.careful_cards if self.adversary is not None else 0
        if careful > MOST_RINGED * cards:
            raise DuankaError(
                f"{careful} cards of careful gangs are too many in a world of {cards}; ask for fewer or smaller gangs, "
                f"or for at least {math.ceil(careful / MOST_RINGED)} cards"
            )


@dataclass(frozen=True)
class GangSize:
    """Size of one gang. `used`, `stock`: cards per rack, in its boxes and in the drawer; `racks`: site of every box."""

    name: str
    used: tuple[int, ...]
    stock: tuple[int, ...]
    racks: tuple[tuple[int, ...], ...]
    operators: int
    minders: int
    suppliers: int
    stalls: int
    level: int = 1

    @property
    def cards(self) -> int:
        """Number of cards, people included."""
        return sum(self.used) + sum(self.stock) + self.people

    @property
    def people(self) -> int:
        """Number of cards of operators, minders and suppliers."""
        return self.operators + self.minders + self.suppliers

    @property
    def site_of_box(self) -> tuple[int, ...]:
        """Site of every box, in the order of the racks."""
        return tuple(site for rack in self.racks for site in rack)


def plan_rings(cards: int, options: RingOptions) -> list[GangSize]:
    """Return the sizes of the gangs asked for in a world of `cards` cards."""
    sizes = [r11_size(cards)] if options.gangs == "r11" else []
    if options.adversary is not None:
        sizes += [
            careful_size(f"L{options.adversary}-{number + 1:02d}", options.careful_cards, options.adversary)
            for number in range(options.careful_gangs)
        ]
    return sizes


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
        ((0,) * here, (1,) * (boxes - here)),
        operators=people(14, 3),
        minders=people(22, 4),
        suppliers=people(14, 5),
        stalls=4 if part > 0.1 else 3,
    )


def careful_size(name: str, cards: int, level: int) -> GangSize:
    """Return the size of a gang of `cards` cards in all: three boxes at two sites, or in three cities."""
    people = max(2, round(cards / 70))
    suppliers = max(3, people)
    held = cards - 2 * people - suppliers
    stock = round(held * (DRAWER if level < SINGLY_LEVEL else SMALL_DRAWER))
    used = held - stock
    if level >= ROAMING_LEVEL:
        shape: tuple[tuple[int, ...], ...] = ((0, 1, 2),)
        parts = ((used,), (stock,))
    else:
        shape = ((0, 0), (1,))
        parts = tuple((n - n // 3, n // 3) for n in (used, stock))  # type: ignore[assignment]
    return GangSize(name, *parts, shape, people, people, suppliers, stalls=2, level=level)
