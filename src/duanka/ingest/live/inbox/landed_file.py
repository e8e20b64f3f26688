"""State of a file in the inbox."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from duanka.domain.display import original_name
from duanka.domain.streaming import GONE, IntakeBacklog, finished
from duanka.ingest.files.beginnings import Beginning
from duanka.ingest.model.mapping import MappingSource

COST = 20  # checks of a folder or a growing file take at most one twentieth of the time


@dataclass(frozen=True)
class LandingTimeouts:
    """Timeouts in seconds.

    `settle`: how long a file must be unchanged to be read; `whole`: the same if it looks incomplete; `poll`: polling
    interval.
    """

    settle: float = 2.0
    whole: float = 30.0
    poll: float = 0.5


class FileState(Enum):
    """State of a file in the inbox."""

    FRESH = "fresh"
    QUEUED = "queued"
    OPEN = "open"
    DONE = "done"
    FOREIGN = "foreign"  # no source takes it


class SecondLook(Enum):
    """Result of checking a file again."""

    SAME = "same"
    GROWN = "grown"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(slots=True)
class KnownFile:
    """A file as last seen, and its state."""

    size: int
    mtime: int  # nanoseconds
    kind: int  # file type: a pipe may replace an empty file and have the same size and time
    since: float  # monotonic clock: first seen in this form
    position: int = 0
    state: FileState = FileState.FRESH
    hold: float = 0.0  # monotonic clock: no check before
    told: bool = False  # whether the wait for its marker was logged
    barred: bool = False  # lacks its marker or is unreadable: it does not become ready by waiting
    look: int = 0  # number of the last scan that found it
    grows: float = 0.0  # monotonic clock: since when it has only grown
    unended: bool = True  # whether to read a last line without a line end
    cost: float = 0.0  # seconds needed to verify its known beginning

    def changed(self, size: int, now: float) -> tuple[float, float]:
        """New `grows` and `hold` of a file that now has `size` bytes."""
        if size <= self.size:
            return now, 0.0
        return self.grows, now + COST * self.cost


@dataclass(frozen=True)
class ReadyFile:
    """A file to read; `start`: records read before, `name`: safe to show and store."""

    path: Path
    entry: str  # path below the inbox as in the file system, perhaps not UTF-8
    name: str
    origin: str
    sources: tuple[MappingSource, ...]
    size: int
    start: int
    behind: Beginning | None = None  # beginning already read, skipped if unchanged
    unended: bool = True  # whether to read a last line without a line end


def is_same(seen: KnownFile, found: os.stat_result) -> bool:
    """Tell whether size, time and type are unchanged."""
    kind = stat.S_IFMT(found.st_mode)
    return (seen.size, seen.mtime, seen.kind) == (found.st_size, found.st_mtime_ns, kind)


def name_of(origin: str) -> str:
    """Path below the inbox, as in the file system, of the file of `origin`."""
    return original_name(origin.partition(":")[2].rsplit("@", 2)[0])


def is_finished(position: int) -> bool:
    """Tell whether `position` is that of a finished file, see `finished`."""
    return GONE < position <= finished(0)


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

    def handed_on(self, positions: Mapping[str, int]) -> None:
        """Remove the files that a batch with these positions finished."""
        for origin, position in positions.items():
            if position < 0:
                self.remove(origin)

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
