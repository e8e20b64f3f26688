"""Buffered log of what the message proxy refused, written off the message path."""

from __future__ import annotations

import itertools
import logging
import secrets
from collections import deque
from datetime import datetime

from duanka.domain.network import NetworkError, RefusalReason
from duanka.network.refusal_store import RefusedFile

_LOG = logging.getLogger(__name__)
_ROWS_PER_WRITE = 20_000
_NUMBER_CHARS, _DETAIL_CHARS = 64, 200  # characters kept of a number or name, and of a reason


class RefusalRecord:
    """Buffers refusals with `add`, which is cheap; `write`, in a thread, stores them.

    `most`: refusals buffered while the disk accepts none; more are dropped and counted in `lost`.
    """

    def __init__(self, file: RefusedFile, *, most: int = 200_000) -> None:
        self._file, self._most = file, most
        # keys stay unique over restarts, also if the last refusals before a crash were never written
        self._begun, self._numbers = secrets.token_hex(8), itertools.count(1)
        self._waiting: deque[tuple[str, float, str, str, str, str]] = deque()
        self.lost = 0

    def add(self, at: datetime, card: str, peer: str, reason: RefusalReason, detail: str) -> None:
        """Buffer one refusal."""
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
        self._waiting.append(row)

    def write(self) -> None:
        """Write the buffer; if the disk accepts nothing, keep it for the next call."""
        while self._waiting:
            some = list(itertools.islice(self._waiting.copy(), _ROWS_PER_WRITE))
            try:
                self._file.add(some)
            except NetworkError as error:
                _LOG.warning("refusals wait to be written: %s", error)
                return
            for _ in some:
                self._waiting.popleft()
