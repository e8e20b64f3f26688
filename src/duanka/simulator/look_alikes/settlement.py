"""Settles the honest look-alikes of links, in every world with rings; their shares are assumptions (K)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from duanka.simulator.chance import Ints, generator, hashed
from duanka.simulator.devices import DevicePool, imeis
from duanka.simulator.look_alikes.acquaintances import share_contacts
from duanka.simulator.look_alikes.card_groups import CardGroups
from duanka.simulator.look_alikes.dormitories import friends_calls, settle_dormitories
from duanka.simulator.look_alikes.firms import number_meters, settle_crews, settle_gateways, settle_meters
from duanka.simulator.look_alikes.gatherings import dispatch, fleets, restart_cells
from duanka.simulator.look_alikes.ground import Ground
from duanka.simulator.look_alikes.phones import (
    HandOver,
    clone_imeis,
    hand_over,
    keep_shops,
    test_phones,
    try_cards,
)
from duanka.simulator.traits import DAY
from duanka.simulator.writing import ExtraSightings

_SHARES = {  # role -> share of the cards, fewest
    "firm_gateway": (0.002, 8),
    "repair_shop": (0.0002, 1),
    "dormitory": (0.012, 20),
    "crew": (0.004, 10),
    "second_hand": (0.008, 4),
    "meter": (0.01, 20),
    "default_imei": (0.003, 10),
}
LOOK_ALIKE_ROLES = tuple(_SHARES)
BULK = ("firm_gateway", "crew", "meter")  # opened together, from one delivery


def look_alike_counts(cards: int) -> dict[str, int]:
    """Return the number of cards of each look-alike in a world of `cards` cards."""
    return {role: max(fewest, round(share * cards)) for role, (share, fewest) in _SHARES.items()}


@dataclass(frozen=True)
class LookAlikes:
    """The look-alikes of a world. `report`: second of the day at which each meter reports."""

    ground: Ground
    groups: dict[str, CardGroups]
    phones: HandOver
    report: Ints
    fleets: CardGroups

    def share_contacts(self) -> None:
        """Let honest cards call numbers in common; gangs with lists of their own are settled before."""
        ground, groups = self.ground, self.groups
        centres = np.flatnonzero(ground.traits.role == ground.roles.index("call_centre"))
        firms = np.concatenate((groups["firm_gateway"].card, centres))
        share_contacts(ground, (groups["dormitory"], groups["crew"]), firms)

    @property
    def bulk(self) -> Ints:
        """Cards opened together."""
        return np.concatenate([self.groups[role].card for role in BULK])

    def on_day(self, devices: DevicePool, day: int) -> tuple[tuple[Ints, Ints, Ints, Ints], ExtraSightings]:
        """Pass phones on; returns calls (card, called card, second, seconds) and sightings of the day."""
        self.phones.pass_on(devices, day)
        rng = generator(self.ground.seed, 54, day)
        meters = self.groups["meter"].card
        at = day * DAY + self.report + rng.integers(0, 40, len(meters))
        reports = ExtraSightings(meters, at, np.zeros(len(meters), dtype=np.int64), meters)
        tried = try_cards(self.ground, self.groups["repair_shop"].card, day)
        calls = (
            friends_calls(self.ground, self.groups["dormitory"], day, rng),
            friends_calls(self.ground, self.groups["crew"], day, rng),
            dispatch(self.ground, self.fleets, day, rng),
        )
        card, other, second, seconds = (np.concatenate(column) for column in zip(*calls, strict=True))
        return (card, other, second, seconds), reports.and_then(tried, restart_cells(self.ground, day))

    def renumber(self, numbers: Ints) -> None:
        """Change the `numbers` of cards that have consecutive ones."""
        number_meters(self.groups["meter"], numbers)

    def group_names(self, count: int) -> pl.Series:
        """Return the group of every one of `count` cards, such as crew-3; empty where it has none."""
        names: list[str | None] = [None]
        which = np.zeros(count, dtype=np.int64)
        for role, groups in self.groups.items():
            which[groups.card] = len(names) + groups.group
            names += [f"{role}-{number + 1}" for number in range(groups.count)]
        return pl.Series("group", names, dtype=pl.String).gather(which)

    def devices(self) -> pl.DataFrame:
        """Return imei (15 digits), kind and card of devices that several honest cards are seen in."""
        t, gateway, clones = self.ground.traits, self.groups["firm_gateway"], self.groups["default_imei"]
        own = np.concatenate((gateway.card, clones.card))
        shops = self.groups["repair_shop"].card
        kinds = ["gateway"] * len(gateway.card) + ["default"] * len(clones.card)
        parts = (
            (imeis(hashed(t.device[own], 61, 0), t.sim_slot[own]), kinds),
            (test_phones(self.ground, shops).ravel(), ["repair"] * (len(shops) * 3)),
            (self.phones.imei(), ["second_hand"] * len(self.phones.card)),
        )
        frames = [
            pl.DataFrame({"imei": pl.Series(imei).cast(pl.String), "kind": kind}) for imei, kind in parts
        ]
        return pl.concat(frames).unique(maintain_order=True)


def settle_look_alikes(ground: Ground, at: dict[str, Ints], start: date) -> LookAlikes:
    """Settle the look-alikes on the cards `at[role]`; `start`: first day of the window."""
    for role, cards in at.items():
        ground.traits.role[cards] = ground.roles.index(role)
    rng = generator(ground.seed, 26)
    owners, phones = hand_over(ground, at["second_hand"], rng)
    meters = settle_meters(ground, at["meter"], rng)
    groups = {
        "firm_gateway": settle_gateways(ground, at["firm_gateway"], rng),
        "repair_shop": keep_shops(ground, at["repair_shop"]),
        "dormitory": settle_dormitories(ground, at["dormitory"], start, rng),
        "crew": settle_crews(ground, at["crew"], rng),
        "second_hand": owners,
        "meter": meters,
        "default_imei": clone_imeis(ground, at["default_imei"], rng),
    }
    minute = rng.integers(0, 24 * 60, max(meters.count, 1)) * 60
    return LookAlikes(ground, groups, phones, minute[meters.group], fleets(ground))
