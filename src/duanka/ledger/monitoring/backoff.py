"""Circuit breaker: after failures, one probe at a time with exponential back-off."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

LONGEST = timedelta(seconds=30)
_FIRST_DELAY = timedelta(seconds=0.5)


class Circuit:
    """Counts consecutive failures. `ticks`: monotonic seconds; `seed`: of the jitter."""

    def __init__(self, ticks: Callable[[], float], seed: int) -> None:
        self.failures = 0
        self._ticks = ticks
        self._chance = random.Random(seed)  # noqa: S311  # jitter
        self._again_at = 0.0

    @property
    def resting(self) -> bool:
        """Whether it is too early for the next probe."""
        return self._ticks() < self._again_at

    def failed(self) -> None:
        """Record a failure: wait, longer each time."""
        self.failures += 1
        self._again_at = self._ticks() + self.back_off(self.failures).total_seconds()

    def succeeded(self) -> None:
        """Record a success: close the circuit."""
        self.failures, self._again_at = 0, 0.0

    def back_off(self, tries: int) -> timedelta:
        """Return the delay: doubles per try up to LONGEST, minus up to half as jitter."""
        whole = min(LONGEST, _FIRST_DELAY * (1 << min(tries - 1, 10)))
        return whole * (1 - self._chance.random() / 2)
