"""Submissions of one link that the message centre has not answered yet, and where the rate counted them."""

from __future__ import annotations

_NOT_COUNTED = -1


class OutstandingSubmissions:
    """Sequence number -> position in the rate.

    A client may use one number for several submissions at once. Whose answer comes first cannot be told then, so
    none of them is taken back: otherwise a submission made to fail would give back the count of one that passed.
    `most`: with more under way nothing is taken back any more on this link.
    """

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._positions: dict[int, int] = {}  # -n: n submissions under one number
        self._full = False

    def sent(self, sequence: int, position: int) -> None:
        """A submission goes to the centre; `position` -1: it was not counted."""
        if self._full:
            return
        known = self._positions.get(sequence)
        if known is None:
            self._positions[sequence] = position
        else:
            self._positions[sequence] = (known if known < 0 else -1) - 1
        if len(self._positions) > self._most:
            self._full = True
            self._positions.clear()

    def answered(self, sequence: int) -> int:
        """The position that the answer to `sequence` speaks of; -1: none, or it cannot be told."""
        known = self._positions.pop(sequence, _NOT_COUNTED)
        if known < _NOT_COUNTED:
            self._positions[sequence] = known + 1
            return _NOT_COUNTED
        return known
