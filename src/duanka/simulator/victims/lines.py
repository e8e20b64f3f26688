"""When a card can call: in its life, in its turn of the day or in waking hours, one call at a time."""

from __future__ import annotations

from bisect import bisect_left, insort
from datetime import date, timedelta

import numpy as np

from duanka.simulator.calls import HANG_UP
from duanka.simulator.chance import Ints, Rng
from duanka.simulator.rings.boxes import BoxSchedule
from duanka.simulator.traits import DAY, Traits

WAKING = (9 * 3600, 21 * 3600)  # when people call whose cards have no turn, as second of the day
_PAUSE = 40  # seconds between two calls of a card, at least
_LOOK_AHEAD = 4  # days


class CallLines:
    """The cards of a world as lines that planned calls occupy. `days`: of the window; `start`: its first day."""

    def __init__(self, t: Traits, boxes: BoxSchedule | None, days: int, start: date) -> None:
        self._t, self._days = t, days
        self._weekend = [(start + timedelta(days=day)).weekday() >= 5 for day in range(days)]
        self._taken: dict[int, list[tuple[int, int]]] = {}
        self._place = {int(card): place for place, card in enumerate(boxes.card)} if boxes else {}
        self._begins = [boxes.begins_on(t, day).tolist() for day in range(days)] if boxes else []

    def turn(self, card: int, day: int) -> tuple[int, int] | None:
        """First and last second of the window at which `card` may begin a call on `day`; None: not that day."""
        t = self._t
        if not 0 <= day < self._days or (self._weekend[day] and t.weekend[card] == 0.0):
            return None
        place = self._place.get(card)
        begin = int(t.burst_from[card]) if place is None else self._begins[day][place]
        first, last = (begin, begin + int(t.burst_span[card]) - 60) if begin >= 0 else WAKING
        first = max(first + day * DAY, int(t.alive_from[card]) + 60)
        last = min(last + day * DAY, int(t.alive_until[card]) - 60)
        return (first, last) if first < last else None

    def next_free(self, card: int, at: int, seconds: int) -> tuple[int, int] | None:
        """When `card` can call for up to `seconds`, not before `at`: (begin, seconds); None: not within days."""
        for day in range(at // DAY, at // DAY + _LOOK_AHEAD):
            turn = self.turn(card, day)
            if turn is None or turn[1] < at:
                continue
            begin = self.gap(card, max(turn[0], at), seconds)
            if begin > turn[1]:
                continue
            until = int(self._t.alive_until[card])
            if self._t.cut_off[card]:
                until = min(until, turn[1] + 60 + HANG_UP)
            return begin, max(1, min(seconds, until - begin))
        return None

    def gap(self, card: int, at: int, seconds: int) -> int:
        """Return when no planned call occupies `card` for `seconds`, not before `at`."""
        taken = self._taken.get(card, [])
        place = bisect_left(taken, (at, at))
        if place and taken[place - 1][1] + _PAUSE > at:
            at = taken[place - 1][1] + _PAUSE
        while place < len(taken) and taken[place][0] < at + seconds + _PAUSE:
            at = taken[place][1] + _PAUSE
            place += 1
        return at

    def take(self, card: int, at: int, seconds: int) -> None:
        """Let a planned call occupy `card`."""
        insort(self._taken.setdefault(card, []), (at, at + seconds))

    def first_moment(self, card: int, rng: Rng) -> int | None:
        """A moment in one of the card's turns within the window; None: it has none."""
        alive = range(
            max(0, int(self._t.alive_from[card]) // DAY),
            min(self._days, int(self._t.alive_until[card]) // DAY + 1),
        )
        turns = [turn for day in alive if (turn := self.turn(card, day))]
        if not turns:
            return None
        first, last = turns[int(rng.integers(len(turns)))]
        return int(rng.integers(first, last))


def days_alive(t: Traits, card: Ints, days: int) -> Ints:
    """Days of the window on which each of `card` is in use."""
    begin = np.maximum(t.alive_from[card], 0)
    until = np.minimum(t.alive_until[card], days * DAY)
    return np.asarray(np.maximum(0, (until - begin + DAY - 1) // DAY))
