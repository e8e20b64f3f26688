"""Boxes: which card sits in which port of which box on which day, never two at once in a port.

A port is a SIM slot with a radio of its own. A lane is one port in one of the turns of a day; the cards of a lane
follow one another from day to day. From time to time all cards of a port move to another port, or to the same port of
the next box: since they move together, a port is never occupied twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from duanka.simulator.chance import Flags, Ints, Rng, below, hashed, mix
from duanka.simulator.devices import DevicePool, imeis
from duanka.simulator.traits import DAY, Traits

PER_BOX, PER_PORT, PER_CARD = 0, 1, 2  # what an IMEI stands for
PORTS = (8, 16, 32, 64, 128)  # as boxes are sold
TYPICAL_LIFE = 5.5  # days of a card in a box, when there are enough ports
NEVER = 1 << 20  # day on which no port moves to another box
# When the cards of a port dial, as (start, length) in seconds of the day.
TURNS = ((33_600, 9_600), (43_500, 9_600), (53_400, 9_600))


@dataclass(frozen=True)
class Rack:
    """Boxes among which ports move, one entry per box; each has `ports` ports.

    turns: of a day; 1: a card stays in all day. rotate: days per move to the next box, 0: a third of the ports moves
    once. mixed: a port's cards change their turns with one another from day to day.
    """

    first_box: int
    county: Ints
    cell: Ints
    ports: int
    turns: int
    imei_per: int
    rotate: int = 0
    mixed: bool = False

    @property
    def boxes(self) -> int:
        """Number of boxes."""
        return len(self.county)


@dataclass(frozen=True)
class BoxSchedule:
    """Places of cards in boxes, one entry per card, and of the boxes.

    box, port, turn: on day 0. first_box, box_count: the boxes among which a port's cards move. ports: of each box.
    pace: days per move over the ports, 0: none. leap: day on which the port's cards go to the next box, and `again`:
    days until they do so again. late: seconds by which the box begins later than TURNS. imei_per: PER_BOX, PER_PORT,
    PER_CARD. box_county, box_cell: per box.
    """

    card: Ints
    box: Ints
    port: Ints
    turn: Ints
    mixed: Flags
    late: Ints
    first_box: Ints
    box_count: Ints
    ports: Ints
    pace: Ints
    leap: Ints
    again: Ints
    imei_per: Ints
    box_county: Ints
    box_cell: Ints

    def box_on(self, day: int) -> Ints:
        """Return the box of every card on `day`."""
        leaps = np.where(day >= self.leap, 1 + (day - self.leap) // self.again, 0)
        return self.first_box + (self.box - self.first_box + leaps) % self.box_count

    def port_on(self, day: int) -> Ints:
        """Return the port of every card on `day`."""
        moves = np.where(self.pace > 0, day // np.maximum(self.pace, 1), 0)
        return (self.port + moves) % self.ports

    def imei_on(self, t: Traits, day: int) -> Ints:
        """Return the IMEI of every card on `day`."""
        box, per_port = self.box_on(day), self.imei_per == PER_PORT
        block, port = np.where(per_port, self.ports, 1), np.where(per_port, self.port_on(day), 0)
        shown = imeis_of(self.first_box, (box - self.first_box) * block + port)
        return np.where(self.imei_per == PER_CARD, own_imeis(t, self.card), shown)

    def place(self, devices: DevicePool, day: int) -> None:
        """Put the cards into their ports, where those stand, and into their turns of the day."""
        box, t = self.box_on(day), devices.traits
        devices.imei[self.card] = self.imei_on(t, day)
        t.county[self.card] = self.box_county[box]
        t.cell[self.card] = self.box_cell[box]
        t.burst_from[self.card] = self.begins_on(t, day)

    def begins_on(self, t: Traits, day: int) -> Ints:
        """Return the second of `day` at which the turn of every card begins; -1: it has no turn."""
        # The same draw for all cards of a port, so that they never meet.
        shift = below(hashed(mix(self.box.astype(np.uint64)), self.port, day), len(TURNS))
        turn = (self.turn + shift) % len(TURNS)
        begin = np.array([turn[0] for turn in TURNS])[turn] + self.late
        return np.where(self.mixed, begin, t.burst_from[self.card])

    def and_then(self, other: Self) -> Self:
        """Append the boxes and cards of `other`, whose box numbers follow on those here."""
        return type(self)(
            *(np.concatenate(pair) for pair in zip(vars(self).values(), vars(other).values(), strict=True))
        )


def imeis_of(first_box: Ints, place: Ints) -> Ints:
    """Return the IMEI at `place` of the consecutive ones that a vendor shipped with `first_box`."""
    return imeis(hashed(mix(first_box.astype(np.uint64)), 65), place)


def own_imeis(t: Traits, card: Ints) -> Ints:
    """Return the IMEIs that boxes show for each of `card`, where they change it with the card."""
    return imeis(hashed(t.key[card], 66), np.zeros(len(card), dtype=np.int64))


def ports_needed(cards: int, boxes: int, turns: int, days: int) -> int:
    """Return the ports of a box so that `cards` cards fit into `boxes` boxes one after another."""
    lives = boxes * turns * max(1.0, days / TYPICAL_LIFE) * 0.9
    return next((ports for ports in PORTS if ports * lives >= cards), PORTS[-1])


def fill_boxes(t: Traits, cards: Ints, rack: Rack, days: int, rng: Rng) -> BoxSchedule:
    """Spread `cards` over the lanes of a rack, and give each its life and its turn of the day."""
    n, boxes = len(cards), rack.boxes
    rank, lanes = np.arange(n), boxes * rack.ports * rack.turns
    lane, order = rank % lanes, rank // lanes
    box, rest = lane % boxes, lane // boxes
    port, turn = rest % rack.ports, rest // rack.ports
    _live_in_turn(t, cards, lane, order, days, rng)
    # A box is switched on as a whole: its own minute of the day; and its cards attach within seconds.
    late = rng.integers(-30, 60, boxes) * 60
    if rack.turns > 1:
        begin, length = np.array(TURNS, dtype=np.int64).T
        t.burst_from[cards], t.burst_span[cards] = begin[turn] + late[box], length[turn]
    rests = rng.choice([0.0, 0.9, 1.0], boxes, p=[0.15, 0.45, 0.4])
    t.weekend[cards] = rests[box]
    # All ports of a rack move at one pace.
    pace = int(rng.choice([0, 1, 2, 3], p=[0.4, 0.3, 0.15, 0.15]))
    leap = np.where(rng.random(rack.ports) < 0.35, rng.integers(1, max(days, 2), rack.ports), NEVER)
    if rack.rotate:
        leap = np.full(rack.ports, int(rng.integers(1, rack.rotate + 1)))

    def each(value: int) -> Ints:
        return np.full(n, value, dtype=np.int64)

    return BoxSchedule(
        card=cards,
        box=rack.first_box + box,
        port=port,
        turn=turn,
        mixed=np.full(n, rack.mixed),
        late=late[box],
        first_box=each(rack.first_box),
        box_count=each(boxes),
        ports=each(rack.ports),
        pace=each(pace),
        leap=leap[port],
        again=each(rack.rotate or NEVER),
        imei_per=each(rack.imei_per),
        box_county=rack.county,
        box_cell=rack.cell,
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
