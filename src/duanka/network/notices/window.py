"""Window of unanswered submissions: which part is submitted next, and what became of each notice.

A centre that is asked for too much at once says so (SMPP 3.4: throttled, queue full). The window then halves after a
pause, and grows by one when as many were answered, so that many workers share one licence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from duanka.domain.network import NetworkError
from duanka.network.notices.parts import Cut
from duanka.network.smpp import codec as smpp

_TOO_MUCH = (smpp.QUEUE_FULL, smpp.THROTTLED)
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 2.0


class Place(NamedTuple):
    """A part of a notice, both by position."""

    notice: int
    part: int


class WindowedBatch:
    """The submissions of one batch. `pieces`: the notices, cut; `ticks`: monotonic seconds."""

    def __init__(self, pieces: Sequence[Cut], window: int, ticks: Callable[[], float]) -> None:
        self.pieces = pieces
        self._window, self._size, self._ticks = window, float(window), ticks
        self._left = deque(
            Place(notice, part) for notice, one in enumerate(pieces) for part in range(len(one.parts))
        )
        self._open: dict[int, Place] = {}
        self._ids: dict[Place, str] = {}
        self._faults: dict[int, int] = {}  # notice -> status of the first part that was refused
        self._pauses, self._again_at = 0, 0.0

    @property
    def is_open(self) -> bool:
        """Whether a part is neither answered nor given up."""
        return bool(self._left or self._open)

    @property
    def waits_for_answers(self) -> bool:
        """Whether nothing is left to do before an answer comes."""
        return bool(self._open)

    @property
    def pause(self) -> float:
        """Seconds until the next submission is due."""
        return max(0.0, self._again_at - self._ticks())

    def to_submit(self) -> Iterator[Place]:
        """Take the parts that may be submitted now; say `submitted` of each before the next is taken."""
        while self._left and len(self._open) < int(self._size) and not self.pause:
            yield self._left.popleft()

    def submitted(self, number: int, place: Place) -> None:
        """Note the sequence number of a submission."""
        self._open[number] = place

    def answered(self, number: int, status: int, message_id: str) -> None:
        """Note an answer; one that was refused for the rate alone is submitted again."""
        place = self._open.pop(number, None)
        if place is None:
            return
        if status in _TOO_MUCH:
            self._left.appendleft(place)
            if not self.pause:  # of answers that come together the first counts
                self._size = max(1.0, self._size / 2)
                self._again_at = self._ticks() + min(
                    _LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**self._pauses
                )
                self._pauses = min(self._pauses + 1, 10)
        elif status:
            self._faults.setdefault(place.notice, status)
        else:
            self._ids[place] = message_id
            self._pauses = 0
            self._size = min(
                float(self._window), self._size + 1 / self._size
            )  # one more when all were answered

    def results(
        self, id_of: Callable[[str], str], refused: Callable[[int], NetworkError], otherwise: NetworkError
    ) -> Sequence[str | NetworkError]:
        """For each notice its message ids, comma-separated, or why it was not accepted; `otherwise`: not answered."""
        found = list[str | NetworkError]()
        for notice, one in enumerate(self.pieces):
            places = [Place(notice, part) for part in range(len(one.parts))]
            if notice in self._faults:
                found.append(refused(self._faults[notice]))
            elif all(place in self._ids for place in places):
                found.append(",".join(id_of(self._ids[place]) for place in places))
            else:
                found.append(otherwise)
        return found
