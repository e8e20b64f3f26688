"""Messages per account and sender in a sliding minute, counted in bounded memory."""

from __future__ import annotations

import mmap

WINDOW_SECONDS = 60.0
_CELL_BITS = 21
_CELL_MASK = (1 << _CELL_BITS) - 1
_LOG_ENTRIES = 1 << 22  # messages per minute: twice what one proxy carries
_EXPIRED_PER_CALL = 64


class SenderRate:
    """Sliding-window counter of (account, sender); allows up to `per_minute` messages.

    A counting sketch with exact expiry: three arrays of counters are indexed by three parts of one keyed hash, and
    the smallest of the three is the count. So nothing is evicted, however many senders are named, and nobody resets a
    count by naming others. It never counts too few. It counts too many where a sender collides with others in all
    three arrays: with 70,000 senders at their limit about one sender in 25,000, otherwise one in billions. The hash
    is keyed per process: nobody can choose whom to collide with.

    Memory: at most 25 MB of counters and 75 MB of log, allocated as used. Not thread-safe. Times are monotonic
    seconds.
    """

    def __init__(self, per_minute: int, *, log_entries: int = _LOG_ENTRIES) -> None:
        self.per_minute = per_minute
        self._cells = tuple(memoryview(mmap.mmap(-1, 4 << _CELL_BITS)).cast("I") for _ in range(3))
        # the log: a ring buffer of what was counted, oldest first, for exact expiry
        self._entries = log_entries
        self._hashes = memoryview(mmap.mmap(-1, 8 * log_entries)).cast("q")
        self._times = memoryview(mmap.mmap(-1, 8 * log_entries)).cast("d")
        self._amounts = memoryview(mmap.mmap(-1, 2 * log_entries)).cast("H")
        self._begin = self._end = 0  # positions only grow; modulo the size they index the ring

    def take(self, account: str, sender: str, messages: int, now: float) -> int | None:
        """Count `messages` within the limit; return the position for `refund`, None beyond the limit."""
        end, entries, times = self._end, self._entries, self._times
        if self._begin < end and times[self._begin % entries] <= now - WINDOW_SECONDS:
            self.expire(now, _EXPIRED_PER_CALL)
        hashed = hash((account, sender))
        one, two, three = (
            hashed & _CELL_MASK,
            hashed >> _CELL_BITS & _CELL_MASK,
            hashed >> 2 * _CELL_BITS & _CELL_MASK,
        )
        first, second, third = self._cells
        a, b, c = first[one] + messages, second[two] + messages, third[three] + messages
        limit = self.per_minute
        if a > limit and b > limit and c > limit:
            return None
        first[one], second[two], third[three] = a, b, c
        if end - self._begin >= entries:
            self._drop_oldest()
        place = end % entries
        self._hashes[place], times[place], self._amounts[place] = hashed, now, messages
        self._end = end + 1
        return end

    def refund(self, position: int, messages: int | None = None) -> None:
        """Take back all, or `messages`, of what `position` counted: the SMSC refused it."""
        if self._begin <= position < self._end:
            place = position % self._entries
            counted = self._amounts[place]
            back = counted if messages is None else min(messages, counted)
            self._add(self._hashes[place], -back)
            self._amounts[place] = counted - back

    def expire(self, now: float, most: int) -> bool:
        """Expire up to `most` messages older than a minute; return whether more are left."""
        limit = now - WINDOW_SECONDS
        for _ in range(most):
            if self._begin == self._end or self._times[self._begin % self._entries] > limit:
                return False
            self._drop_oldest()
        return self._begin < self._end and self._times[self._begin % self._entries] <= limit

    def _add(self, hashed: int, messages: int) -> None:
        first, second, third = self._cells
        first[hashed & _CELL_MASK] += messages
        second[hashed >> _CELL_BITS & _CELL_MASK] += messages
        third[hashed >> 2 * _CELL_BITS & _CELL_MASK] += messages

    def _drop_oldest(self) -> None:
        place = self._begin % self._entries
        if amount := self._amounts[place]:
            self._add(self._hashes[place], -amount)
        self._begin += 1
