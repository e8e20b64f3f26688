"""Phones that several honest cards are seen in: repair shops, second-hand and handed-down phones, cloned IMEIs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duanka.simulator.chance import Ints, Rng, generator, hashed
from duanka.simulator.devices import DevicePool, imeis, sitting_in
from duanka.simulator.look_alikes.card_groups import CardGroups, cut
from duanka.simulator.look_alikes.ground import Ground
from duanka.simulator.province import COUNTIES
from duanka.simulator.traits import DAY
from duanka.simulator.writing import ExtraSightings

TEST_PHONES = 3  # of a repair shop
TRIED_PER_DAY = 10.0  # cards of customers
CLONES = 2  # IMEIs that many cheap phones show
HANDED_DOWN = 0.15  # share of families in which a phone changes hands
AT_CLONE, AT_TEST, AT_OLD = 68, 69, 67  # streams of the hashes


@dataclass(frozen=True)
class HandOver:
    """Which card has a phone from day `begin` until the day before `until`; phone: its number."""

    card: Ints
    phone: Ints
    begin: Ints
    until: Ints

    def imei(self) -> Ints:
        """Return the IMEI of each phone."""
        return imeis(hashed(self.phone.astype(np.uint64), AT_OLD), np.zeros(len(self.phone), dtype=np.int64))

    def pass_on(self, devices: DevicePool, day: int) -> None:
        """Put the cards into the phones that they have on `day`, and others back into their own."""
        over = self.card[self.until == day]
        devices.imei[over] = sitting_in(devices, over, day)
        now = (self.begin <= day) & (day < self.until)
        devices.imei[self.card[now]] = self.imei()[now]


def hand_over(ground: Ground, cards: Ints, rng: Rng) -> tuple[CardGroups, HandOver]:
    """Let phones pass through 2 to 4 owners, who have others before and after; also within families."""
    groups = cut("second_hand", cards, 2, 4, rng)
    t = ground.traits
    # Families are neighbours in the list of cards, and share a document.
    mine = ground.families
    pair = np.flatnonzero(t.holder[mine[1:]] == t.holder[mine[:-1]]) if len(mine) > 1 else np.arange(0)
    pair = pair[np.diff(pair, prepend=-2) > 1]
    pair = pair[rng.random(len(pair)) < HANDED_DOWN]
    card = np.concatenate((cards, mine[np.stack((pair, pair + 1), axis=1).ravel()]))
    phone = np.concatenate((groups.group, groups.count + np.repeat(np.arange(len(pair)), 2)))
    first = np.flatnonzero(np.diff(phone, prepend=-1) != 0)
    many = np.diff(np.append(first, len(card)))
    rank = np.arange(len(card)) - np.repeat(first, many)
    # Somewhere in the window each owner gives the phone on; the first had it before, the last keeps it.
    share = rng.random(len(card))
    order = np.lexsort((share, phone))
    day = np.floor(share[order] * ground.days).astype(np.int64)
    begin = np.where(rank == 0, -DAY, day)
    until = np.append(begin[1:], 0)
    last = rank == np.repeat(many, many) - 1
    return groups, HandOver(card, phone, begin, np.where(last, DAY, until))


def clone_imeis(ground: Ground, cards: Ints, rng: Rng) -> CardGroups:
    """Give cheap phones all over the province one of two IMEIs, written into whole series of them."""
    t = ground.traits
    number = rng.integers(0, CLONES, len(cards))
    t.device[cards] = hashed(number.astype(np.uint64), AT_CLONE)
    t.sim_slot[cards], t.swap[cards] = 0, 0.0
    return CardGroups("default_imei", cards, np.arange(len(cards)))


def keep_shops(ground: Ground, cards: Ints) -> CardGroups:
    """Settle the owners of repair shops, who are in their shop all day."""
    t = ground.traits
    t.work_county[cards], t.away[cards], t.trip[cards] = -1, 0.0, 0.0  # they live where they work
    return CardGroups("repair_shop", cards, np.arange(len(cards)))


def test_phones(ground: Ground, shops: Ints) -> Ints:
    """Return the IMEIs of the shops' phones, (shops, TEST_PHONES)."""
    words = [hashed(ground.traits.key[shops], AT_TEST, k) for k in range(TEST_PHONES)]
    none = np.zeros(len(shops), dtype=np.int64)
    return np.stack([imeis(word, none) for word in words], axis=1)


def try_cards(ground: Ground, shops: Ints, day: int) -> ExtraSightings:
    """Cards of customers from the city, each tried for some minutes in one of the shop's phones."""
    t, rng = ground.traits, generator(ground.seed, 53, day)
    city = t.county[ground.persons] // COUNTIES
    order = np.argsort(city, kind="stable")
    shop = np.repeat(np.arange(len(shops)), rng.poisson(TRIED_PER_DAY, len(shops)))
    own = t.county[shops[shop]] // COUNTIES
    low, high = np.searchsorted(city[order], own), np.searchsorted(city[order], own, side="right")
    shop, low, high = shop[high > low], low[high > low], high[high > low]
    card = ground.persons[order[low + (rng.random(len(shop)) * (high - low)).astype(np.int64)]]
    at = day * DAY + rng.integers(10 * 3600, 18 * 3600, len(card))
    phone = test_phones(ground, shops)[shop, rng.integers(0, TEST_PHONES, len(shop))]
    again = np.concatenate((at, at + rng.integers(60, 600, len(at))))
    card, phone, near = np.tile(card, 2), np.tile(phone, 2), np.tile(shops[shop], 2)
    keep = t.alive(card, again)
    return ExtraSightings(card[keep], again[keep], phone[keep], near[keep])
