"""Inbox watcher: which files are complete, their reading order, which are done.

Polls the folder, which works on every file system. New names are found at every poll; known files are checked for a
new delivery the less often, the more files there are.
"""

from __future__ import annotations

import heapq
import logging
import os
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import InitVar, dataclass
from pathlib import Path

from duanka.domain.display import display_name
from duanka.domain.errors import MappingError
from duanka.domain.streaming import GONE
from duanka.ingest.delivery.discovery import sources_of, why_not_taken
from duanka.ingest.files.beginnings import Beginning, Beginnings, is_beginning
from duanka.ingest.files.directory_walk import Unseen, walk
from duanka.ingest.files.packed import PACKED_ENDINGS
from duanka.ingest.live.inbox import completeness as wholeness
from duanka.ingest.live.inbox import file_names as naming
from duanka.ingest.live.inbox.landed_file import (
    COST,
    FileState,
    InboxBacklog,
    KnownFile,
    LandingTimeouts,
    ReadyFile,
    SecondLook,
    is_same,
    name_of,
)
from duanka.ingest.model import mapping as mappings

_log = logging.getLogger(__name__)

_RETRY = 5.0  # seconds until a file that could not be opened is retried
_MAX_WARNINGS = 1_000  # maximum number of unreadable folders named in the log
_FORGET = 86_400.0  # seconds that a folder may be missing before its files count as new


@dataclass
class DirectoryWatcher:
    """Watcher of one folder; `feed`: prefix of its origins.

    Not thread-safe except its `backlog`: the rest is for the reading thread.
    """

    folder: Path
    mapping: mappings.Mapping
    feed: str
    done: InitVar[Mapping[str, int]]
    patience: LandingTimeouts
    marker: InitVar[bool | None]
    put_away: Callable[[str], bool]

    def __post_init__(self, done: Mapping[str, int], marker: bool | None) -> None:
        self._markers = naming.Markers(self.folder, marker)
        self._files: dict[str, KnownFile] = {}
        self._fresh: set[str] = set()
        self._ready: list[tuple[int, int, str]] = []
        self.backlog = InboxBacklog()
        self._gone: list[str] = []
        began = time.monotonic()
        self._beginnings = Beginnings(self.feed, done)
        self._absent = {
            origin: (position, began)
            for origin, position in done.items()
            if origin.startswith(f"{self.feed}:") and position != GONE and not is_beginning(origin)
        }
        names = {name_of(origin) for origin in self._absent}
        self.read_before = tuple(
            {id(one): one for name in names for one in sources_of(name, self.mapping)}.values()
        )
        """Sources of files read by earlier runs."""
        self._looks = 0
        self._next_look = self._next_thorough = 0.0
        self._broken = ""
        self._unseen: set[str] = set()  # folders unreadable at the last full scan
        self._warned: set[Unseen] = set()
        self._read_anew: set[str] = set()  # packed files that grew after they were read

    def next(self) -> ReadyFile | None:
        """Return the oldest file that is ready; None if there is none now."""
        if time.monotonic() >= self._next_look:
            self._look()
        while self._ready:
            name = heapq.heappop(self._ready)[-1]
            seen = self._files.get(name)
            if seen is None or seen.state is not FileState.QUEUED or not self._still(name, seen):
                continue
            seen.state = FileState.OPEN
            sources = sources_of(name, self.mapping)
            origin = self._origin(name, seen)
            path, shown, behind = self.folder / name, display_name(name), self._known_beginning(name, seen)
            return ReadyFile(
                path, name, shown, origin, sources, seen.size, seen.position, behind, seen.unended
            )
        return None

    def _rank(self, name: str) -> int:
        """Order of reading: the register first if other files identify cards by IMSI."""
        others = all(source.table != "cards" for source in sources_of(name, self.mapping))
        return int(self.mapping.asks_by_imsi and others)

    def _known_beginning(self, name: str, seen: KnownFile) -> Beginning | None:
        """Known beginning of a file, under this name or a previous one."""

        def alike(entry: str) -> bool:
            with suppress(MappingError):
                return sources_of(entry, self.mapping) == sources_of(name, self.mapping)
            return False

        return self._beginnings.of(name) or self._beginnings.moved(name, self.folder, seen.size, alike)

    @property
    def expects(self) -> bool:
        """Whether a file will become ready by the passing of time alone."""
        return bool(self._ready) or any(not self._files[name].barred for name in self._fresh)

    def find(self, file: ReadyFile, *, may_grow: bool = False) -> SecondLook:
        """Check the file being read; a changed one is a new delivery and read again.

        `may_grow`: appended data does not count as a change.
        """
        seen = self._files.get(file.entry)
        if seen is None or self._origin(file.entry, seen) != file.origin:
            return SecondLook.GONE if seen is None else SecondLook.CHANGED
        if may_grow and self._has_grown(file.entry, seen):
            return SecondLook.GROWN
        if self._still(file.entry, seen):
            return SecondLook.SAME
        return SecondLook.CHANGED if file.entry in self._files else SecondLook.GONE

    def reach(self, file: ReadyFile, position: int) -> int:
        """Record the position of `file`, negative when fully read (`finished`); return it."""
        seen = self._files[file.entry]
        seen.position = position
        if position < 0:
            seen.state = FileState.DONE
        return position

    def learn(self, file: ReadyFile, beginning: Beginning, seconds: float) -> dict[str, int]:
        """Store a file's beginning and the seconds to verify it; return changed positions."""
        self._files[file.entry].cost = seconds
        return self._beginnings.learn(file.entry, beginning)

    def unlearn(self, file: ReadyFile) -> dict[str, int]:
        """Drop the beginning of a changed file, to read it whole; return changed positions."""
        if seen := self._files.get(file.entry):
            seen.state = FileState.FRESH
            self._fresh.add(file.entry)
        return self._beginnings.changed(file.entry)

    def forget_beginning(self, file: ReadyFile) -> dict[str, int]:
        """Read `file` as a whole if it grows; return the changed positions."""
        return self._beginnings.forget(file.entry)

    def leave(self, file: ReadyFile) -> None:
        """Read the unfinished last line later: when it ends, or the file stops growing."""
        seen, now = self._files[file.entry], time.monotonic()
        seen.state, seen.hold = FileState.FRESH, max(seen.since + self.patience.whole, now)
        self._fresh.add(file.entry)

    def refuse(self, file: ReadyFile) -> None:
        """Retry `file` later, after an error of the system."""
        seen = self._files[file.entry]
        seen.state, seen.hold, seen.barred = FileState.FRESH, time.monotonic() + _RETRY, True
        self._fresh.add(file.entry)

    def gone(self) -> dict[str, int]:
        """Return, once, the positions that can be deleted."""
        some, self._gone = self._gone, []
        return dict.fromkeys(some, GONE)

    def away(self, origin: str) -> None:
        """Record that the file of `origin` was moved or deleted."""
        name = name_of(origin)
        seen = self._files.get(name)
        if seen is not None and self._origin(name, seen) == origin:
            del self._files[name]
            self._gone.extend(self._beginnings.forget(name))
        self._forget(origin)

    def _origin(self, name: str, seen: KnownFile) -> str:
        return f"{self.feed}:{display_name(name)}@{seen.size}@{seen.mtime}"

    def _forget(self, origin: str) -> None:
        self.backlog.remove(origin)
        self._gone.append(origin)

    def _look(self) -> None:
        begun = time.monotonic()
        thorough = begun >= self._next_thorough
        self._looks += thorough
        if thorough:
            self._unseen.clear()
        try:
            for name, entry in walk(self.folder, self._passed_over, self._cannot_list):
                if thorough or name not in self._files:
                    with suppress(FileNotFoundError):  # removed meanwhile
                        self._record_found(name, entry.stat(follow_symlinks=False))
            self._broken = ""
            if not self.backlog.begun:
                self.backlog.begin({self._origin(name, seen): seen for name, seen in self._files.items()})
        except OSError as fault:
            # files that cannot be seen now have not vanished
            if str(fault) != self._broken:
                _log.warning("%s cannot be looked into (%s); waiting", self.folder, fault.strerror)
            self._broken, thorough = str(fault), False
        if thorough:
            self._miss(begun)
        self._judge()
        ended = time.monotonic()
        self._next_look = ended + max(self.patience.poll, COST * (ended - begun))
        if thorough:
            self._next_thorough = self._next_look

    def _passed_over(self, below: str, name: str) -> bool:
        if name.endswith(naming.MARKER):
            self._markers.note(below, name)
            return True
        return naming.passed_over(below, name)

    def _cannot_list(self, folder: Unseen) -> None:
        self._unseen.add(folder.name)
        if folder not in self._warned and len(self._warned) < _MAX_WARNINGS:
            self._warned.add(folder)
            _log.warning("%s: this folder is not read (%s)", display_name(folder.name), folder.why)

    def _record_found(self, name: str, found: os.stat_result) -> None:
        """Record a file found by a scan."""
        seen = self._files.get(name)
        if seen is not None:
            seen.look = self._looks
            if seen.state is FileState.OPEN or is_same(seen, found):
                return
            if seen.position:
                self._forget(self._origin(name, seen))
                if found.st_size > seen.size and name.lower().endswith(PACKED_ENDINGS):
                    self._tell_read_anew(name)
            self.backlog.remove(self._origin(name, seen))
        kind, now = stat.S_IFMT(found.st_mode), time.monotonic()
        grows, hold = seen.changed(found.st_size, now) if seen else (now, 0.0)
        seen = KnownFile(
            found.st_size, found.st_mtime_ns, kind, now, look=self._looks, grows=grows, hold=hold
        )
        self._files[name] = seen
        origin = self._origin(name, seen)
        seen.position, _ = self._absent.pop(origin, (0, 0.0))
        if seen.position < 0:
            seen.state = FileState.DONE
            if self.put_away(origin):
                self.away(origin)
        elif refused := why_not_taken(name, kind, self.mapping):
            seen.state = FileState.FOREIGN
            _log.warning("%s: %s; it is not read", display_name(name), refused)
        elif not sources_of(name, self.mapping):
            seen.state = FileState.FOREIGN
        else:
            self.backlog.add(origin, seen.size)
            self._fresh.add(name)

    def _tell_read_anew(self, name: str) -> None:
        if name not in self._read_anew:
            self._read_anew.add(name)
            grown = "has grown; being packed, it is read from its beginning again, now and whenever it grows"
            _log.warning(f"%s {grown}", display_name(name))

    def _miss(self, now: float) -> None:
        """Record files that have vanished."""
        unseen = tuple(f"{folder}/" for folder in self._unseen)
        for name, seen in list(self._files.items()):
            if seen.look != self._looks and seen.state is not FileState.OPEN and not name.startswith(unseen):
                self._lost(name, seen)
        for origin in [o for o, (_, since) in self._absent.items() if now - since > _FORGET]:
            del self._absent[origin]
            self._gone.append(origin)
            if (name := name_of(origin)) not in self._files:
                self._gone.extend(self._beginnings.forget(name))

    def _lost(self, name: str, seen: KnownFile) -> None:
        origin = self._origin(name, seen)
        if seen.state in {FileState.FRESH, FileState.QUEUED}:
            read = max(seen.position, 0)
            _log.warning("%s vanished after %d of its records were read", display_name(name), read)
        if seen.position:
            self._absent[origin] = (seen.position, time.monotonic())
        self.backlog.remove(origin)
        self._fresh.discard(name)
        del self._files[name]

    def _still(self, name: str, seen: KnownFile) -> bool:
        """Tell whether a file is unchanged; reset a changed one, drop a vanished one."""
        try:
            now = os.lstat(self.folder / name)
        except FileNotFoundError:
            self._lost(name, seen)
            return False
        except OSError:
            return True  # opening it will report the error
        if is_same(seen, now):
            return True
        seen.state = FileState.FRESH
        self._record_found(name, now)
        return False

    def _judge(self) -> None:
        """Queue the fresh files that are ready."""
        for name in list(self._fresh):
            seen = self._files[name]
            if not self._still(name, seen):
                continue
            # what is no regular file is queued too: opening it reports and rejects it
            if not stat.S_ISREG(seen.kind) or self._is_ready(name, seen):
                seen.state = FileState.QUEUED
                self._fresh.discard(name)
                heapq.heappush(self._ready, (self._rank(name), seen.mtime, name))

    def _is_ready(self, name: str, seen: KnownFile) -> bool:
        now = time.monotonic()
        if now < seen.hold:
            return False
        marked = self._markers.written_at(name)
        seen.barred = marked is None and self._markers.needed_for(name)
        if seen.barred:
            if not seen.told and now - seen.since > self.patience.whole:
                seen.told = True
                waits = "waits for its %s, as other files there have one (docs/LIVE.md)"
                _log.warning(f"%s {waits}", display_name(name), naming.MARKER)
            return False
        rested = now - seen.since
        # for a file that grew while watched, the writer's clock (mtime) is not used
        age = rested if seen.grows < seen.since else max(rested, time.time() - seen.mtime / 1e9)
        vouched = marked is not None and marked >= seen.mtime  # its marker says that it is complete
        seen.unended = vouched or age >= self.patience.whole
        if seen.position or vouched or (marked is None and self._goes_on(name, seen)):
            return True  # partly read already: no need to wait
        path, layout = self.folder / name, sources_of(name, self.mapping)[0].layout
        if rested < self.patience.settle:
            # a file written to without a pause never rests
            grew = now - seen.grows
            return grew >= self.patience.whole and wholeness.is_plain_text(path, layout, self.folder)
        if age >= self.patience.whole or wholeness.looks_complete(path, layout, self.folder):
            return True
        seen.hold = now + self.patience.whole - age
        return False

    def _goes_on(self, name: str, seen: KnownFile) -> bool:
        """Tell whether the file has a known beginning and is at least as long."""
        known = self._beginnings.of(name)
        if known is None or seen.size >= known.size:
            return known is not None
        _log.warning("%s shrank to %d bytes; it is another file", display_name(name), seen.size)
        self._gone.extend(self._beginnings.changed(name))
        return False

    def _has_grown(self, name: str, seen: KnownFile) -> bool:
        try:
            now = os.lstat(self.folder / name)
        except OSError:
            return False
        return stat.S_IFMT(now.st_mode) == seen.kind and now.st_size > seen.size
