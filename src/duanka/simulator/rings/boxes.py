"""Boxes: which card sits in which port of which box on which day, never two at once in a port.

A port is a SIM slot with a radio of its own. A lane is one port in one of the turns of a day; the cards of a lane
follow one another from day to day. From time to time all cards of a port move to another port, or to the same port of
the next box: since they move together, a port is never occupied twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from duanka.simulator.chance import Ints, Rng, hashed, mix
from duanka.simulator.devices import DevicePool, imeis
from duanka.simulator.traits import DAY, Traits

PER_BOX, PER_PORT = 0, 1  # what an IMEI stands for
PORTS = (8, 16, 32, 64, 128)  # as boxes are sold
TYPICAL_LIFE = 5.5  # days of a card in a box, when there are enough ports
NEVER = 1 << 20  # day on which no port moves to another box
# When the cards of a port dial, as (start, length) in seconds of the day.
TURNS = ((33_600, 9_600), (43_500, 9_600), (53_400, 9_600))


@dataclass(frozen=True)
class BoxSchedule:
    """Places of cards in boxes, one entry per card, and of the boxes.

    box, port: on day 0. first_box, box_count: the boxes among which a port's cards move. ports: of each box. pace:
    days per move over the ports, 0: none. leap: day on which the port's cards go to the next box; imei_per: PER_BOX,
    PER_PORT. box_county, box_cell: per box.
    """

    card: Ints
    box: Ints
    port: Ints
    first_box: Ints
    box_count: Ints
    ports: Ints
    pace: Ints
    leap: Ints
    imei_per: Ints
    box_county: Ints
    box_cell: Ints

    def box_on(self, day: int) -> Ints:
        """Return the box of every card on `day`."""
        moved = self.box - self.first_box + (day >= self.leap)
        return self.first_box + moved % self.box_count

    def port_on(self, day: int) -> Ints:
        """Return the port of every card on `day`."""
        moves = np.where(self.pace > 0, day // np.maximum(self.pace, 1), 0)
        return (self.port + moves) % self.ports

    def imei_on(self, day: int) -> Ints:
        """Return the IMEI of every card on `day`."""
        box, per_port = self.box_on(day), self.imei_per == PER_PORT
        block, port = np.where(per_port, self.ports, 1), np.where(per_port, self.port_on(day), 0)
        return imeis_of(self.first_box, (box - self.first_box) * block + port)

    def place(self, devices: DevicePool, day: int) -> None:
        """Put the cards into their ports, and where those stand."""
        box = self.box_on(day)
        devices.imei[self.card] = self.imei_on(day)
        devices.traits.county[self.card] = self.box_county[box]
        devices.traits.cell[self.card] = self.box_cell[box]

    def and_then(self, other: Self) -> Self:
        """Append the boxes and cards of `other`, whose box numbers follow on those here."""
        return type(self)(
            *(np.concatenate(pair) for pair in zip(vars(self).values(), vars(other).values(), strict=True))
        )


def imeis_of(first_box: Ints, place: Ints) -> Ints:
    """Return the IMEI at `place` of the consecutive ones that a vendor shipped to the site of `first_box`."""
    return imeis(hashed(mix(first_box.astype(np.uint64)), 65), place)


def ports_needed(cards: int, boxes: int, days: int) -> int:
    """Return the ports of a box so that `cards` cards fit into `boxes` boxes one after another."""
    turns = boxes * len(TURNS) * max(1.0, days / TYPICAL_LIFE) * 0.9
    return next((ports for ports in PORTS if ports * turns >= cards), PORTS[-1])


@dataclass(frozen=True)
class Site:
    """One place of a gang: a cell of a county, with boxes `first_box`.. of `ports` ports each."""

    county: int
    cell: int
    first_box: int
    boxes: int
    ports: int


def fill_boxes(t: Traits, cards: Ints, site: Site, imei_per: int, days: int, rng: Rng) -> BoxSchedule:
    """Spread `cards` over the lanes of a site's boxes, and give each its life and its turn of the day."""
    n, lanes = len(cards), site.boxes * site.ports * len(TURNS)
    rank = np.arange(n)
    lane, order = rank % lanes, rank // lanes
    box, rest = lane % site.boxes, lane // site.boxes
    port, turn = rest % site.ports, rest // site.ports
    _live_in_turn(t, cards, lane, order, days, rng)
    # A box is switched on as a whole: its own minute of the day; and its cards attach within seconds.
    late = rng.integers(-30, 60, site.boxes) * 60
    begin, length = np.array(TURNS, dtype=np.int64).T
    t.burst_from[cards] = begin[turn] + late[box]
    t.burst_span[cards] = length[turn]
    rests = rng.choice([0.0, 0.9, 1.0], site.boxes, p=[0.15, 0.45, 0.4])
    t.weekend[cards] = rests[box]
    # All ports of a site move at one pace; about a third of them change to the next box once.
    pace = int(rng.choice([0, 1, 2, 3], p=[0.4, 0.3, 0.15, 0.15]))
    leap = np.where(rng.random(site.ports) < 0.35, rng.integers(1, max(days, 2), site.ports), NEVER)
    number = site.first_box + box
    return BoxSchedule(
        card=cards,
        box=number,
        port=port,
        first_box=np.full(n, site.first_box),
        box_count=np.full(n, site.boxes),
        ports=np.full(n, site.ports),
        pace=np.full(n, pace),
        leap=leap[port],
        imei_per=np.full(n, imei_per),
        box_county=np.full(site.boxes, site.county),
        box_cell=np.full(site.boxes, site.cell),
    )


def _live_in_turn(t: Traits, cards: Ints, lane: Ints, order: Ints, days: int, rng: Rng) -> None:
    """Divide the window among the cards of each lane: whole days, one card after another."""
    rank = np.lexsort((order, lane))
    cards, lane, order = cards[rank], lane[rank], order[rank]
    share = rng.gamma(2.0, 1.0, len(cards))
    total = np.bincount(lane, weights=share)[lane]
    many = np.bincount(lane)[lane]
    before = np.cumsum(share) - share
    before -= before[np.flatnonzero(order == 0)[np.cumsum(order == 0) - 1]]
    free = np.maximum(days - many, 0)
    begin = order + (before / total * free).astype(np.int64)
    end = order + 1 + ((before + share) / total * free + 1e-9).astype(np.int64)
    earlier = np.where(rng.random(len(cards)) < 0.8, rng.exponential(6.0, len(cards)), 0.0).astype(np.int64)
    begin = np.where(order == 0, begin - earlier, begin)
    t.alive_from[cards] = begin * DAY + rng.integers(8 * 3600, 9 * 3600, len(cards))
    t.alive_until[cards] = end * DAY - 4 * 3600
