"""What is known of a file that landed, and where it stands."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from duanka.domain.display import original_name
from duanka.domain.streaming import GONE, finished
from duanka.ingest.files.beginnings import Beginning
from duanka.ingest.model.mapping import MappingSource

COST = 20  # a folder, or a file that grows, is looked into for at most one twentieth of the time


@dataclass(frozen=True)
class LandingTimeouts:
    """How long to wait, in seconds: `settle` for a file to rest, `whole` for one cut short, `poll` between looks."""

    settle: float = 2.0
    whole: float = 30.0
    poll: float = 0.5


class FileState(Enum):
    """Where a file stands."""

    FRESH = "fresh"
    QUEUED = "queued"
    OPEN = "open"
    DONE = "done"
    FOREIGN = "foreign"  # nothing takes it


class SecondLook(Enum):
    """What a second look at a file finds."""

    SAME = "same"
    GROWN = "grown"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(slots=True)
class KnownFile:
    """A file as it was seen last, and what became of it."""

    size: int
    mtime: int  # nanoseconds
    kind: int  # what stat calls its type: a pipe may take the place of an empty file of the same time
    since: float  # by the monotonic clock: when it was first seen like this
    position: int = 0
    state: FileState = FileState.FRESH
    hold: float = 0.0  # not asked again before
    told: bool = False  # that it waits for its marker
    barred: bool = False  # by no marker, or by the system: time alone will not make it ready
    look: int = 0  # the last one that met it
    grows: float = 0.0  # by the monotonic clock: since when it has done nothing but grow
    unended: bool = True  # a last line without a line end counts
    cost: float = 0.0  # seconds that looking at its known beginning takes

    def changed(self, size: int, now: float) -> tuple[float, float]:
        """Of a file that has `size` by now: since when it does nothing but grow, and when it may be looked at."""
        if size <= self.size:
            return now, 0.0
        return self.grows, now + COST * self.cost


@dataclass(frozen=True)
class ReadyFile:
    """A file that is ready. `start`: records of it that were read before; `name`: fit to be shown and stored."""

    path: Path
    entry: str  # its path below the inbox as the system has it, which may be no UTF-8
    name: str
    origin: str
    sources: tuple[MappingSource, ...]
    size: int
    start: int
    behind: Beginning | None = None  # what is known of it, and is not read again where it is unchanged
    unended: bool = True  # a last line without a line end counts


def is_same(seen: KnownFile, found: os.stat_result) -> bool:
    """Tell whether a file that is as `found` is the one that was seen."""
    kind = stat.S_IFMT(found.st_mode)
    return (seen.size, seen.mtime, seen.kind) == (found.st_size, found.st_mtime_ns, kind)


def name_of(origin: str) -> str:
    """The path below the inbox, as the system has it, of the file that `origin` stands for."""
    return original_name(origin.partition(":")[2].rsplit("@", 2)[0])


def is_finished(position: int) -> bool:
    """Tell whether `position` is one of `finished`."""
    return GONE < position <= finished(0)
