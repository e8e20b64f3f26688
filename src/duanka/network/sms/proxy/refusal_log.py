"""Buffered log of what the message proxy refused, written off the message path."""

from __future__ import annotations

import itertools
import logging
import secrets
from collections import deque
from datetime import datetime

from duanka.domain.network import NetworkError, RefusalReason
from duanka.network.refusal_store import RefusedFile, indicator_text
from duanka.network.smpp.codec import Submission
from duanka.network.sms.proxy.indicators import SubmissionIndicators

_LOG = logging.getLogger(__name__)
_ROWS_PER_WRITE = 2_000
_NUMBER_CHARS, _DETAIL_CHARS = 64, 200  # characters kept of a number or name, and of a reason


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
            self.lost += 1
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

    def write(self) -> None:
        """Write the buffer; if the disk accepts nothing, keep it for the next call."""
        while self._waiting:
            some = list(itertools.islice(self._waiting.copy(), _ROWS_PER_WRITE))
            try:
                self._file.add([(*row, self._named(message)) for row, message in some])
            except NetworkError as error:
                _LOG.warning("refusals wait to be written: %s", error)
                return
            for _ in some:
                self._waiting.popleft()

    def _named(self, message: Submission | None) -> str:
        """Indicators of a message; none of one that cannot be read, which must not hold up the others."""
        if message is None:
            return ""
        try:
            return indicator_text(self._indicators.of(message))
        except Exception as error:  # the refusal itself matters more
            _LOG.warning("indicators of a refused message are left out: %s", type(error).__name__)
            return ""
