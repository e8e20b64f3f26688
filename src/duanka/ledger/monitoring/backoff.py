"""A part of the network that fell silent is asked by one card now and then, not by all that wait."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

LONGEST = timedelta(seconds=30)
_FIRST = timedelta(seconds=0.5)


class Circuit:
    """Counts failures in a row. `ticks`: seconds that only grow; `seed`: of the jitter."""

    def __init__(self, ticks: Callable[[], float], seed: int) -> None:
        self.failures = 0
        self._ticks = ticks
        self._chance = random.Random(seed)  # noqa: S311  # jitter
        self._again_at = 0.0

    @property
    def resting(self) -> bool:
        """Whether it is too early to ask again."""
        return self._ticks() < self._again_at

    def failed(self) -> None:
        """It did not answer: rest, longer each time."""
        self.failures += 1
        self._again_at = self._ticks() + self.back_off(self.failures).total_seconds()

    def worked(self) -> None:
        """It answered: everything may be asked."""
        self.failures, self._again_at = 0, 0.0

    def back_off(self, tries: int) -> timedelta:
        """How long to wait after so many tries: twice as long each time up to LONGEST, less up to half by lot."""
        whole = min(LONGEST, _FIRST * (1 << min(tries - 1, 10)))
        return whole * (1 - self._chance.random() / 2)
