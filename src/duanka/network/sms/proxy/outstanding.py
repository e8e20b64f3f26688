"""Submissions without a response yet, with their rate-counter position."""

from __future__ import annotations

_NOT_COUNTED = -1


class OutstandingSubmissions:
    """Sequence number -> position in the rate counter.

    A client may reuse a number while a submission is in flight. It is then unknown which one a response belongs to,
    so none of them is refunded: otherwise a submission made to fail would refund one that passed.

    `most`: with more in flight, nothing is refunded on this link any more.
    """

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._positions: dict[int, int] = {}  # -n: n submissions without a known position
        self._full = False

    def sent(self, sequence: int, position: int) -> None:
        """Record a submission sent to the SMSC; `position` -1: it was not counted."""
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
        """Return the position of the submission `sequence`; -1: none, or ambiguous."""
        known = self._positions.pop(sequence, _NOT_COUNTED)
        if known < _NOT_COUNTED:
            self._positions[sequence] = known + 1
            return _NOT_COUNTED
        return known
