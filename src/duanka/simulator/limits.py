"""Counters that switch a card off for the rest of the day, as SIM boxes have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duanka.simulator.chance import Flags, Ints

NO_LIMIT = 1 << 40


@dataclass(frozen=True)
class Limits:
    """Limits by setting; of_card: the setting of every card, -1: none.

    calls, connected, seconds, short, unanswered, in_a_row: one entry per setting, per card and day; `short_seconds`:
    longest answered call that counts as short.
    """

    of_card: Ints
    calls: Ints
    connected: Ints
    seconds: Ints
    short: Ints
    unanswered: Ints
    in_a_row: Ints
    short_seconds: int

    def allowed(self, card: Ints, out: Flags, seconds: Ints, answered: Flags) -> Flags:
        """Return which calls take place. The calls are of one day, sorted by card and time."""
        keep = np.ones(len(card), dtype=np.bool_)
        at = np.flatnonzero(self.of_card[card] >= 0)
        if not len(at):
            return keep
        card, out, seconds, answered = card[at], out[at], seconds[at], answered[at]
        setting = self.of_card[card]
        first = np.flatnonzero(np.diff(card, prepend=-1) != 0)
        group = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(card))))
        missed = out & ~answered
        reached = np.zeros(len(at), dtype=np.bool_)
        for limit, counted in (
            (self.calls, out.astype(np.int64)),
            (self.connected, (out & answered).astype(np.int64)),
            (self.seconds, np.where(out, seconds, 0)),
            (self.short, (out & answered & (seconds <= self.short_seconds)).astype(np.int64)),
            (self.unanswered, missed.astype(np.int64)),
        ):
            reached |= _before(counted, first, group) >= limit[setting]
        # Unanswered calls in a row: the count since the last answered one, and the card stays off afterwards.
        total = np.cumsum(missed)
        anchor = np.where(answered & out, total, 0)
        begun: Ints = total[first] - missed[first]
        last = np.maximum.accumulate(
            np.maximum(anchor, np.where(np.diff(card, prepend=-1) != 0, begun[group], 0))
        )
        off = ((total - last) >= self.in_a_row[setting]).astype(np.int64)
        reached |= _before(off, first, group) > 0
        keep[at] = ~reached
        return keep


def _before(counted: Ints, first: Ints, group: Ints) -> Ints:
    """Sum of `counted` over the earlier entries of the same group."""
    total = np.cumsum(counted) - counted
    return total - total[first][group]
