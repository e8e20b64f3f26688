"""Random gestures of the face checker."""

from __future__ import annotations

import threading
from random import Random

from duanka.domain.identity import CheckerDown, CheckReason, CheckRefused, Step
from duanka.domain.identity_ports import Checker


class GestureSource:
    """Draws gestures; thread-safe. `draw`: random source of challenges."""

    def __init__(self, checker: Checker, draw: Random) -> None:
        self._checker, self._draw = checker, draw
        self._drawing = threading.Lock()

    def drawn(self) -> tuple[Step, ...]:
        """Return the gestures of a new challenge. CheckRefused: the checker does not answer."""
        with self._drawing:  # the random source is not thread-safe; vendor calls may overlap
            lot = Random(self._draw.getrandbits(128))  # noqa: S311  # as unpredictable as the source of its seed
        try:
            return self._checker.challenge(lot)
        except CheckerDown:
            raise CheckRefused(CheckReason.NOT_AVAILABLE, wait=30) from None
