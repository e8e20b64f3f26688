"""A folder in which files land: which of them are whole, in what order they are read, and which are done with.

The folder is looked into again and again, for that works on every file system. Names that are new are found at every
look; whether a file of before was delivered anew is asked of the system less often the more files there are.
"""

from __future__ import annotations

import heapq
import logging
import os
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from duanka.domain.display import display_name, original_name
from duanka.domain.errors import MappingError
from duanka.domain.streaming import GONE, IntakeBacklog
from duanka.ingest.delivery.discovery import sources_of, why_not_taken
from duanka.ingest.files.beginnings import Beginning, Beginnings, is_beginning
from duanka.ingest.files.directory_walk import Unseen, walk
from duanka.ingest.live.inbox import completeness as wholeness
from duanka.ingest.live.inbox import file_names as naming
from duanka.ingest.live.inbox.backlog import InboxBacklog
from duanka.ingest.live.inbox.landed_file import (
    COST,
    FileState,
    KnownFile,
    LandingTimeouts,
    ReadyFile,
    SecondLook,
    is_same,
    name_of,
)
from duanka.ingest.model import mapping as mappings

_log = logging.getLogger(__name__)

_RETRY = 5.0  # seconds until a file that would not open is tried again
_WARNINGS = 1_000  # folders that cannot be listed and are named in the log
_FORGET = 86_400.0  # seconds; a folder may be away for so long without its files being new when it is back


class DirectoryWatcher:
    """The folder; `feed` is what its origins begin with. All but `waiting` is for the one thread that reads."""

    def __init__(
        self,
        folder: Path,
        mapping: mappings.Mapping,
        feed: str,
        done: Mapping[str, int],
        patience: LandingTimeouts,
        marker: bool | None,
        put_away: Callable[[str], bool],
    ) -> None:
        self._folder = folder
        self._mapping = mapping
        self._feed = feed
        self._patience = patience
        self._marker = marker
        self._put_away = put_away
        self._files: dict[str, KnownFile] = {}
        self._fresh: set[str] = set()
        self._ready: list[tuple[int, int, str]] = []
        self._marked: set[str] = set()
        self._backlog = InboxBacklog()
        self._gone: list[str] = []
        began = time.monotonic()
        self._beginnings = Beginnings(feed, done)
        mine = (
            (o, n) for o, n in done.items() if o.startswith(f"{feed}:") and n != GONE and not is_beginning(o)
        )
        self._absent = {origin: (position, began) for origin, position in mine}
        names = {original_name(origin.partition(":")[2].rsplit("@", 2)[0]) for origin in self._absent}
        self.read_before = tuple(
            {id(one): one for name in names for one in sources_of(name, mapping)}.values()
        )
        """The sources of which files were read by earlier runs."""
        self._looks = 0
        self._next_look = self._next_thorough = 0.0
        self._broken = ""
        self._unseen: set[str] = set()  # folders that could not be listed at the last thorough look
        self._warned: set[Unseen] = set()

    def next(self) -> ReadyFile | None:
        """Return the oldest file that is ready, opened for us; None when there is none now."""
        if time.monotonic() >= self._next_look:
            self._look()
        while self._ready:
            name = heapq.heappop(self._ready)[-1]
            seen = self._files.get(name)
            if seen is None or seen.state is not FileState.QUEUED or not self._still(name, seen):
                continue
            seen.state = FileState.OPEN
            sources = sources_of(name, self._mapping)
            origin = self._origin(name, seen)
            path, shown, behind = self._folder / name, display_name(name), self._behind(name, seen)
            return ReadyFile(
                path, name, shown, origin, sources, seen.size, seen.position, behind, seen.unended
            )
        return None

    def _rank(self, name: str) -> int:
        """0 for the register, where other files name its cards by IMSI: of files that are ready it comes first."""
        others = all(source.table != "cards" for source in sources_of(name, self._mapping))
        return int(self._mapping.asks_by_imsi and others)

    def _behind(self, name: str, seen: KnownFile) -> Beginning | None:
        """What was read of a file before: under this name, or under one at which it is no longer."""

        def alike(entry: str) -> bool:
            with suppress(MappingError):
                return sources_of(entry, self._mapping) == sources_of(name, self._mapping)
            return False

        return self._beginnings.of(name) or self._beginnings.moved(name, self._folder, seen.size, alike)

    @property
    def mapping(self) -> mappings.Mapping:
        """By what the files are read."""
        return self._mapping

    @property
    def expects(self) -> bool:
        """Whether something will be ready just by the passing of time."""
        return bool(self._ready) or any(not self._files[name].barred for name in self._fresh)

    def find(self, file: ReadyFile, *, may_grow: bool = False) -> SecondLook:
        """Look at the file being read; if it is another by now, that is another delivery and read anew.

        `may_grow`: what was written behind its end does not make it another one.
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
        """Note that `file` is read up to `position`, also one of `finished`; return the position."""
        seen = self._files[file.entry]
        seen.position = position
        if position < 0:
            seen.state = FileState.DONE
        return position

    def learn(self, file: ReadyFile, beginning: Beginning, seconds: float) -> dict[str, int]:
        """Note up to where `file` is read, and the time that looking at it took; return positions to keep."""
        self._files[file.entry].cost = seconds
        return self._beginnings.learn(file.entry, beginning)

    def unlearn(self, file: ReadyFile) -> dict[str, int]:
        """`file` does not begin as it did: it is read as a whole once it rests. Return positions to keep."""
        if seen := self._files.get(file.entry):
            seen.state = FileState.FRESH
            self._fresh.add(file.entry)
        return self._beginnings.changed(file.entry)

    def forget_beginning(self, file: ReadyFile) -> dict[str, int]:
        """Should `file` grow, it is read as a whole. Return positions to keep."""
        return self._beginnings.forget(file.entry)

    def leave(self, file: ReadyFile) -> None:
        """The last line of `file` has no end yet: it is read when it has, or when the file rests."""
        seen, now = self._files[file.entry], time.monotonic()
        seen.state, seen.hold = FileState.FRESH, max(seen.since + self._patience.whole, now)
        self._fresh.add(file.entry)

    def refuse(self, file: ReadyFile) -> None:
        """The system did not let us read `file` now: it is tried again later."""
        seen = self._files[file.entry]
        seen.state, seen.hold, seen.barred = FileState.FRESH, time.monotonic() + _RETRY, True
        self._fresh.add(file.entry)

    def gone(self) -> dict[str, int]:
        """Return, once, what need not be kept any longer."""
        some, self._gone = self._gone, []
        return dict.fromkeys(some, GONE)

    def waiting(self) -> IntakeBacklog:
        """Files not handed on to their end, and their bytes. May be asked by any thread."""
        return self._backlog.counted()

    def handed_on(self, positions: Mapping[str, int]) -> None:
        """A batch with these positions went out. May be told by any thread."""
        for origin, position in positions.items():
            if position < 0:
                self._backlog.remove(origin)

    def away(self, origin: str) -> None:
        """The file of `origin` was put away."""
        name = name_of(origin)
        seen = self._files.get(name)
        if seen is not None and self._origin(name, seen) == origin:
            del self._files[name]
            self._gone.extend(self._beginnings.forget(name))
        self._forget(origin)

    def _origin(self, name: str, seen: KnownFile) -> str:
        return f"{self._feed}:{display_name(name)}@{seen.size}@{seen.mtime}"

    def _forget(self, origin: str) -> None:
        self._backlog.remove(origin)
        self._gone.append(origin)

    def _look(self) -> None:
        begun = time.monotonic()
        thorough = begun >= self._next_thorough
        self._looks += thorough
        if thorough:
            self._unseen.clear()
        try:
            for name, entry in walk(self._folder, self._passed_over, self._cannot_list):
                if thorough or name not in self._files:
                    with suppress(FileNotFoundError):  # taken away since
                        self._meet(name, entry.stat(follow_symlinks=False))
            self._broken = ""
            if not self._backlog.begun:
                self._backlog.begin({self._origin(name, seen): seen for name, seen in self._files.items()})
        except OSError as fault:
            # What cannot be seen now has not vanished.
            if str(fault) != self._broken:
                _log.warning("%s cannot be looked into (%s); waiting", self._folder, fault.strerror)
            self._broken, thorough = str(fault), False
        if thorough:
            self._miss(begun)
        self._judge()
        ended = time.monotonic()
        self._next_look = ended + max(self._patience.poll, COST * (ended - begun))
        if thorough:
            self._next_thorough = self._next_look

    def _passed_over(self, below: str, name: str) -> bool:
        if name.endswith(naming.MARKER):
            # one that stands beside nothing vouches for nothing: it must not keep the files of others waiting
            of = name.removesuffix(naming.MARKER)
            if of and os.path.lexists(self._folder / (below + of)):
                self._marked.add(below)
            return True
        return naming.passed_over(name) or (not below and name == naming.TAKEN)

    def _cannot_list(self, folder: Unseen) -> None:
        self._unseen.add(folder.name)
        if folder not in self._warned and len(self._warned) < _WARNINGS:
            self._warned.add(folder)
            _log.warning("%s: this folder is not read (%s)", display_name(folder.name), folder.why)

    def _meet(self, name: str, found: os.stat_result) -> None:
        """Take note of a file as it is now."""
        seen = self._files.get(name)
        if seen is not None:
            seen.look = self._looks
            if seen.state is FileState.OPEN or is_same(seen, found):
                return
            if seen.position:
                self._forget(self._origin(name, seen))
            self._backlog.remove(self._origin(name, seen))
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
            if self._put_away(origin):
                self.away(origin)
        elif refused := why_not_taken(name, kind, self._mapping):
            seen.state = FileState.FOREIGN
            _log.warning("%s: %s; it is not read", display_name(name), refused)
        elif not sources_of(name, self._mapping):
            seen.state = FileState.FOREIGN
        else:
            self._backlog.add(origin, seen.size)
            self._fresh.add(name)

    def _miss(self, now: float) -> None:
        """Take note of files that are no longer there."""
        for name in [
            n
            for n, s in self._files.items()
            if s.look != self._looks and s.state is not FileState.OPEN and not self._is_unseen(n)
        ]:
            self._lost(name, self._files[name])
        for origin in [o for o, (_, since) in self._absent.items() if now - since > _FORGET]:
            del self._absent[origin]
            self._gone.append(origin)
            if (name := name_of(origin)) not in self._files:
                self._gone.extend(self._beginnings.forget(name))

    def _is_unseen(self, name: str) -> bool:
        return any(name.startswith(f"{folder}/") for folder in self._unseen)

    def _lost(self, name: str, seen: KnownFile) -> None:
        origin = self._origin(name, seen)
        if seen.state in {FileState.FRESH, FileState.QUEUED}:
            _log.warning(
                "%s vanished after %d of its records were read", display_name(name), max(seen.position, 0)
            )
        if seen.position:
            self._absent[origin] = (seen.position, time.monotonic())
        self._backlog.remove(origin)
        self._fresh.discard(name)
        del self._files[name]

    def _still(self, name: str, seen: KnownFile) -> bool:
        """Tell whether a file is there as we know it; what changed is fresh again, what vanished is dropped."""
        try:
            now = os.lstat(self._folder / name)
        except FileNotFoundError:
            self._lost(name, seen)
            return False
        except OSError:
            return True  # whoever opens it will be told why
        if is_same(seen, now):
            return True
        seen.state = FileState.FRESH
        self._meet(name, now)
        return False

    def _judge(self) -> None:
        """Queue the fresh files that are ready."""
        for name in list(self._fresh):
            seen = self._files[name]
            if not self._still(name, seen):
                continue
            # Whoever opens what is no file is told so, and sets it aside.
            if not stat.S_ISREG(seen.kind) or self._is_ready(name, seen):
                seen.state = FileState.QUEUED
                self._fresh.discard(name)
                heapq.heappush(self._ready, (self._rank(name), seen.mtime, name))

    def _is_ready(self, name: str, seen: KnownFile) -> bool:
        now = time.monotonic()
        if now < seen.hold:
            return False
        marked = self._marked_at(name)
        seen.barred = marked is None and self._needs_marker(name)
        if seen.barred:
            if not seen.told and now - seen.since > self._patience.whole:
                seen.told = True
                waits = "waits for its %s, as other files there have one (docs/LIVE.md)"
                _log.warning(f"%s {waits}", display_name(name), naming.MARKER)
            return False
        rested = now - seen.since
        # Of a file that grew meanwhile the clock of its writer is not asked.
        age = rested if seen.grows < seen.since else max(rested, time.time() - seen.mtime / 1e9)
        vouched = marked is not None and marked >= seen.mtime  # its writer says that it is whole
        seen.unended = vouched or age >= self._patience.whole
        if seen.position or vouched or (marked is None and self._goes_on(name, seen)):
            return True  # what was read in part already need not rest
        path, layout = self._folder / name, sources_of(name, self._mapping)[0].layout
        if rested < self._patience.settle:
            # What is written to without a pause never rests.
            grew = now - seen.grows
            return grew >= self._patience.whole and wholeness.is_plain_text(path, layout, self._folder)
        if age >= self._patience.whole or wholeness.seems_whole(path, layout, self._folder):
            return True
        seen.hold = now + self._patience.whole - age
        return False

    def _goes_on(self, name: str, seen: KnownFile) -> bool:
        """Tell whether a file whose beginning is known can still begin so."""
        known = self._beginnings.of(name)
        if known is None or seen.size >= known.size:
            return known is not None
        _log.warning("%s shrank to %d bytes; it is another file", display_name(name), seen.size)
        self._gone.extend(self._beginnings.changed(name))
        return False

    def _has_grown(self, name: str, seen: KnownFile) -> bool:
        try:
            now = os.lstat(self._folder / name)
        except OSError:
            return False
        return stat.S_IFMT(now.st_mode) == seen.kind and now.st_size > seen.size

    def _needs_marker(self, name: str) -> bool:
        if self._marker is None:
            return name[: name.rfind("/") + 1] in self._marked
        return self._marker

    def _marked_at(self, name: str) -> int | None:
        """When the file's marker was written, in nanoseconds; None without one."""
        if self._marker is False:
            return None
        try:
            return os.stat(self._folder / (name + naming.MARKER)).st_mtime_ns
        except OSError:
            return None
