"""Backlog of the inbox: files and bytes that wait, readable from any thread."""

from __future__ import annotations

from collections.abc import Mapping

from duanka.domain.streaming import IntakeBacklog
from duanka.ingest.live.inbox.landed_file import KnownFile


class InboxBacklog:
    """Files by origin not fully handed on, and which of them were there at the start."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._at_start: dict[str, KnownFile] | None = None  # None before the first scan

    def add(self, origin: str, size: int) -> None:
        """Add a file that waits."""
        self._sizes[origin] = size

    def remove(self, origin: str) -> None:
        """Remove a file that no longer waits."""
        self._sizes.pop(origin, None)
        if self._at_start is not None:
            self._at_start.pop(origin, None)

    @property
    def begun(self) -> bool:
        """Whether the first scan is done."""
        return self._at_start is not None

    def begin(self, files: Mapping[str, KnownFile]) -> None:
        """Record the files, by origin, found by the first scan."""
        self._at_start = {origin: seen for origin, seen in files.items() if origin in self._sizes}

    def counted(self) -> IntakeBacklog:
        """Count waiting files and bytes.

        `backlog`: number of files of the first scan that do not wait for a marker; None before that scan.
        """
        sizes = list(self._sizes.values())
        at_start = None if self._at_start is None else list(self._at_start.values())
        backlog = None if at_start is None else sum(not seen.barred for seen in at_start)
        return IntakeBacklog(len(sizes), sum(sizes), backlog=backlog)
