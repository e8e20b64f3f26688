"""One day of all rings: calls, messages, sightings and visits that are planned rather than drawn card by card."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duanka.simulator.calls import EventRows, PlannedCalls
from duanka.simulator.chance import Ints, generator
from duanka.simulator.devices import DevicePool
from duanka.simulator.look_alikes import LookAlikes
from duanka.simulator.rings.at_boxes import attaches, texts_first
from duanka.simulator.rings.errands import run_errands, visits
from duanka.simulator.rings.settlement import Rings
from duanka.simulator.traits import DAY
from duanka.simulator.whereabouts import Visits
from duanka.simulator.writing import ExtraSightings


@dataclass(frozen=True)
class RingDay:
    """What happens besides on one day."""

    calls: PlannedCalls
    texts: EventRows
    shown: ExtraSightings
    visits: Visits


def ring_day(rings: Rings, others: LookAlikes, devices: DevicePool, day: int, seed: int) -> RingDay:
    """Put cards into their ports and phones of the day, and plan what the gangs and their look-alikes do."""
    t = devices.traits
    rings.boxes.place(devices, day)
    friends, seen = others.on_day(devices, day)
    return RingDay(
        run_errands(t, rings.boxes, rings.crews, day, seed, friends),
        texts_first(t, rings.crews, day, seed),
        seen.and_then(_seen_at_boxes(rings, devices, day, seed)),
        visits(rings.crews, day, seed),
    )


def _seen_at_boxes(rings: Rings, devices: DevicePool, day: int, seed: int) -> ExtraSightings:
    card, at = attaches(devices.traits, rings.boxes, day, seed)
    shown = [ExtraSightings(card, at, np.zeros(len(card), dtype=np.int64), card)]
    for gang in rings.gangs:
        theirs, honest = gang.bridges.lent_on(day)
        shown.append(_lent(devices, theirs, honest, gang.crew.number, day, seed))
    return shown[0].and_then(*shown[1:])


def _lent(devices: DevicePool, card: Ints, honest: Ints, gang: int, day: int, seed: int) -> ExtraSightings:
    """An honest card is put for a while into the phone, or the port, of a card of a gang."""
    rng, t = generator(seed, 52, gang, day), devices.traits
    at = day * DAY + rng.integers(18 * 3600, 21 * 3600, len(card))
    keep = t.alive(honest, at)
    return ExtraSightings(honest[keep], at[keep], devices.imei[card[keep]], honest[keep])
