"""What groups of cards are settled in: a province with its people."""

from __future__ import annotations

from dataclasses import dataclass

from duanka.simulator.chance import Ints
from duanka.simulator.province import Places
from duanka.simulator.register import Outlets
from duanka.simulator.traits import Traits


@dataclass(frozen=True)
class Ground:
    """A province. `persons`, `families`: honest cards of these roles; `roles`: all roles of the world."""

    traits: Traits
    places: Places
    outlets: Outlets
    persons: Ints
    families: Ints
    roles: tuple[str, ...]
    days: int
    seed: int
