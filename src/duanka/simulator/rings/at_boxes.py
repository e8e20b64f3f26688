"""What the boxes do by themselves in a day: attach together, text before they call."""

from __future__ import annotations

import numpy as np

from duanka.simulator.calls import EventRows, listed
from duanka.simulator.chance import Ints, generator
from duanka.simulator.province import foreign_to_us
from duanka.simulator.rings.boxes import BoxSchedule
from duanka.simulator.rings.errands import SWITCHED_ON, Crew
from duanka.simulator.traits import DAY, Traits

RESTARTS = 0.08  # chance per box and day that it is started again at an odd minute


def attaches(t: Traits, boxes: BoxSchedule, day: int, seed: int) -> tuple[Ints, Ints]:
    """Cards that attach as their port or box is switched on: (card, second of the window)."""
    rng = generator(seed, 49, day)
    # Boxes that rest show nothing.
    here = np.flatnonzero(t.used_on(day, boxes.card) & (t.weekend[boxes.card] > 0))
    card = boxes.card[here]
    begin = np.where(t.burst_from[card] >= 0, t.burst_from[card], SWITCHED_ON + boxes.late[here])
    at = begin - 60 + rng.integers(0, 45, len(card))
    box = boxes.box_on(day)[here]
    again = rng.random(len(boxes.box_county)) < RESTARTS
    minute = rng.integers(34_000, 62_000, len(again))
    span = np.where(t.burst_from[card] >= 0, t.burst_span[card], 30_000)
    active = again[box] & (minute[box] > begin) & (minute[box] < begin + span)
    restarted = minute[box][active] + rng.integers(0, 45, int(active.sum()))
    card, at = np.concatenate((card, card[active])), day * DAY + np.concatenate((at, restarted))
    keep = t.alive(card, at)
    return card[keep], at[keep]


def texts_first(t: Traits, crews: list[Crew], day: int, seed: int) -> EventRows:
    """Messages that cards send to numbers of the gang's list before their first call of the day."""
    card, number = [np.arange(0)], [np.arange(0)]
    for crew in crews:
        rng, knobs = generator(seed, 50, crew.number, day), crew.care.knobs
        cards = crew.boxed[t.used_on(day, crew.boxed)]
        many = rng.poisson(knobs.messages_first, len(cards)) if knobs.messages_first else np.zeros(len(cards))
        sender = np.repeat(cards, np.minimum(many, knobs.messages or 1_000).astype(np.int64))
        line = (rng.random(len(sender)) * t.list_size[sender]).astype(np.int64)
        card.append(sender)
        number.append(foreign_to_us(listed(t, sender, day, line)))
    cards = np.concatenate(card)
    rng = generator(seed, 51, day)
    begin = np.where(t.burst_from[cards] >= 0, t.burst_from[cards], SWITCHED_ON)
    at = day * DAY + begin - rng.integers(1, 50, len(cards))
    return EventRows(cards, np.concatenate(number), np.ones(len(cards), dtype=np.bool_), at)
