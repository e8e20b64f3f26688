"""Honest people and things whose cards are linked like those of gangs: one device, one shop, one cell, one minute."""

from duanka.simulator.look_alikes.card_groups import CardGroups
from duanka.simulator.look_alikes.ground import Ground
from duanka.simulator.look_alikes.settlement import (
    LOOK_ALIKE_ROLES,
    LookAlikes,
    look_alike_counts,
    settle_look_alikes,
)

__all__ = [
    "LOOK_ALIKE_ROLES",
    "CardGroups",
    "Ground",
    "LookAlikes",
    "look_alike_counts",
    "settle_look_alikes",
]
