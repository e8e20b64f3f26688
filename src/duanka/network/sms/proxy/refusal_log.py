"""Buffered log of what the message proxy refused, written off the message path."""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from duanka.domain.network import LossCause, NetworkError, RefusalReason
from duanka.network.refusal_store import FileLoss, RefusedFile, indicator_text
from duanka.network.smpp.codec import Submission
from duanka.network.sms.proxy.indicators import SubmissionIndicators

_LOG = logging.getLogger(__name__)
_ROWS_PER_WRITE = 2_000
_NUMBER_CHARS, _DETAIL_CHARS = 64, 200  # characters kept of a number or name, and of a reason


@dataclass
class _Dropped:
    """Refusals that were dropped; times: seconds since 1970."""

    key: str
    since: float
    until: float
    count: int = 0
    is_written: bool = False  # or is being written: what is dropped from then on is another loss


class RefusalRecord:
    """Buffers refusals with `add`, which is cheap; `write`, in a thread, stores them.

    Of a refused message `write` keeps the indicators alone; the text never leaves the memory.

    `most`: refusals buffered while the disk accepts none; more are dropped and counted in `lost`.
    """

    def __init__(self, file: RefusedFile, *, most: int = 200_000) -> None:
        self._file, self._most = file, most
        # keys stay unique over restarts, also if the last refusals before a crash were never written
        self._begun, self._numbers = secrets.token_hex(8), itertools.count(1)
        self._waiting: deque[tuple[tuple[str, float, str, str, str, str], Submission | None]] = deque()
        self._indicators = SubmissionIndicators()
        self.lost = 0
        self._losses = list[_Dropped]()  # that no file has yet
        self._dropping = threading.Lock()  # the message path drops, another thread writes

    def add(
        self,
        at: datetime,
        card: str,
        peer: str,
        reason: RefusalReason,
        detail: str,
        message: Submission | None = None,
    ) -> None:
        """Buffer one refusal. `message`: what was refused, None: nothing is read of it."""
        if len(self._waiting) >= self._most:
            self._drop(at)
            return
        key = f"{self._begun}-{next(self._numbers)}"
        row = (
            key,
            at.timestamp(),
            card[:_NUMBER_CHARS],
            peer[:_NUMBER_CHARS],
            reason.value,
            detail[:_DETAIL_CHARS],
        )
        self._waiting.append((row, message))

    @property
    def waits(self) -> bool:
        """Whether something is not written yet."""
        return bool(self._waiting or self._losses)

    def _drop(self, at: datetime) -> None:
        """Count a refusal that no room is left for; `write` tells it when the disk accepts something."""
        seconds = at.timestamp()
        with self._dropping:
            self.lost += 1
            if not self._losses or self._losses[-1].is_written:
                self._losses.append(_Dropped(f"{self._begun}-lost-{self.lost}", seconds, seconds))
            self._losses[-1].until = max(self._losses[-1].until, seconds)
            self._losses[-1].count += 1

    def write(self) -> None:
        """Write the buffer and what was dropped; if the disk accepts nothing, keep it for the next call."""
        while self._waiting or self._losses:
            some = list(itertools.islice(self._waiting.copy(), _ROWS_PER_WRITE))
            with self._dropping:
                lost = list(self._losses)
                for one in lost:
                    one.is_written = True
            told = [FileLoss(one.key, one.since, one.until, one.count, LossCause.NO_ROOM) for one in lost]
            try:
                self._file.add([(*row, self._named(message)) for row, message in some], told)
            except NetworkError as error:
                _LOG.warning("refusals wait to be written: %s", error)
                return
            for _ in some:
                self._waiting.popleft()
            with self._dropping:
                del self._losses[: len(lost)]

    def _named(self, message: Submission | None) -> str:
        """Indicators of a message; none of one that cannot be read, which must not hold up the others."""
        if message is None:
            return ""
        try:
            return indicator_text(self._indicators.of(message))
        except Exception as error:  # the refusal itself matters more
            _LOG.warning("indicators of a refused message are left out: %s", type(error).__name__)
            return ""
