"""Reads delivered files one after another into micro-batches."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import polars as pl

from duanka.domain.device_id import many_unknown
from duanka.domain.display import display_name, first_line
from duanka.domain.errors import UnreadableInput
from duanka.domain.streaming import finished
from duanka.ingest.delivery.mapped_columns import SourcesSeen
from duanka.ingest.delivery.signatures import SignedFile
from duanka.ingest.files.beginnings import BeginningChanged, Extent
from duanka.ingest.files.limits import rejects_too_much
from duanka.ingest.files.open_file import NotRegular, open_regular
from duanka.ingest.formats.open_reader import open_reading
from duanka.ingest.live.batch_builder import BatchBuilder
from duanka.ingest.live.inbox import file_names as naming
from duanka.ingest.live.inbox.landed_file import ReadyFile, SecondLook
from duanka.ingest.live.inbox.watcher import DirectoryWatcher
from duanka.ingest.live.prefetch import HandOn, Pulse
from duanka.ingest.model.blocks import Block, Rejected, part
from duanka.ingest.model.reasons import QuarantineReason
from duanka.ingest.normalise.columns import Tools
from duanka.ingest.validation.validator import Validator

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadOptions:
    """Options of reading, which ends at `stop` or, without `wait`, when all is read.

    A batch: at most `most` records, handed on `seconds` after the first. `poll`: polling interval (s).
    """

    stop: Event
    poll: float
    most: int
    seconds: float
    wait: bool = True


class GivenUp(UnreadableInput):
    """Too many records of a file are rejected: the rest is not read."""


@dataclass
class FileReader:
    """Reads the files from `landing`; `away`: origins of files moved or deleted since."""

    root: Path
    pulse: Pulse
    landing: DirectoryWatcher
    tools: Tools
    pool: ThreadPoolExecutor
    going: ReadOptions
    hand_on: HandOn
    away: deque[str]

    def __post_init__(self) -> None:
        self._rejected: Counter[str] = Counter()  # of the current file
        self._builder = BatchBuilder(self.going.most, self.going.seconds, self._rejected)
        self._refused: set[str] = set()
        self._grows = False  # whether the current file may grow while being read
        self._left = False  # whether its last line is left for later
        self._sources = SourcesSeen(self.landing.mapping)
        self._sources.note_earlier(self.landing.read_before)
        self._told_idle = False
        self._read = 0  # number of files read

    def run(self) -> None:
        """Read until stopped. Raises MissingKey, MappingError: only a person can fix them."""
        while not self.going.stop.is_set():
            self.pulse.beat()
            while self.away:
                self.landing.away(self.away.popleft())
            file = self.landing.next()
            self._builder.reach(self.landing.gone())
            if file is not None:
                self._file(file)
            last = file is None and not self.going.wait and not self.landing.expects
            if self._builder and (self._builder.due or last):
                self._flush()
            if file is None and not self._told_idle:
                self._tell_idle(last=last)
            if last:
                return
            if file is None:
                self.going.stop.wait(self.going.poll)

    def _tell_idle(self, *, last: bool) -> None:
        """Log unused sources of the mapping, once the backlog is read."""
        if last or self._read:
            self._told_idle = True
            for one in self._sources.idle() if self._read else ():
                _log.warning("of the mapping, %s so far", one.en)

    def _flush(self) -> None:
        self.hand_on(self._builder.batch())
        self.pulse.beat()  # `hand_on` waited for the rules, which is no stall of reading
        self._builder = BatchBuilder(self.going.most, self.going.seconds, self._rejected)

    def _file(self, file: ReadyFile) -> None:
        """Read one file from its last position to its end, or until stopped."""
        at = max(file.start, file.behind.records if file.behind else 0)
        self._grows = self._left = False
        try:
            for at in self._records(file):  # noqa: B007  # the last position is used below
                self.pulse.beat()
                if self._builder.due:
                    self._flush()
                if self.going.stop.is_set():
                    return
        except BeginningChanged as how:
            _log.warning("%s %s; it is another file, and read anew", file.name, how)
            self._builder.reach(self.landing.unlearn(file))
            return
        # any exception: whatever a file holds, it must not stop the others
        except (Exception, pl.exceptions.PanicException) as fault:
            found = self.landing.find(file)
            if found is SecondLook.SAME:
                self._failed(file, at, fault)
            else:
                self._broken_off(file, at, found)
            return
        found = self.landing.find(file, may_grow=self._grows)
        if found in {SecondLook.SAME, SecondLook.GROWN}:
            self._refused.discard(file.name)
            if self._left:
                self.landing.leave(file)
                return
            self._builder.reach({file.origin: self.landing.reach(file, finished(at))})
        else:
            self._broken_off(file, at, found)

    def _records(self, file: ReadyFile) -> Iterator[int]:
        """Add the records of `file` to the batch while there is room; yield the position."""
        with SignedFile(file.path, file.name, file.sources, self.tools.case_sources, self.root) as signed:
            yield from self._records_of(file, signed)

    def _records_of(self, file: ReadyFile, signed: SignedFile) -> Iterator[int]:
        reading = open_reading(signed.path, file.sources[0].layout, signed.root, _extent(file))
        track = reading.track
        self._grows = track is not None
        validator = Validator(file.name, file.sources, reading.columns, self.tools, self.pool, signed.by)
        validator.check()
        place, sheets = naming.place_of(file.name), reading.sheets
        before = first = track.records if track else 0
        self._rejected.clear()
        if track and file.behind:  # store the known beginning under the current name
            self._builder.reach(self.landing.learn(file, track.beginning(track.records), track.seconds))
        for block in reading.blocks(validator.wanted()):
            begin, before = max(file.start - before, 0), before + block.records
            if begin >= block.records:
                continue
            if not self._is_there(file, block):
                return  # checked after reading: only records of the known version are handed on
            while begin < block.records:
                end = min(block.records, begin + self._builder.room)
                some = block if end - begin == block.records else part(block, begin, end)
                self._builder.add(validator.validate(some), place, file.origin, file.name, sheets)
                begin = end
                at = before - block.records + end
                self._builder.reach({file.origin: self.landing.reach(file, at)})
                if track and block.stretch:
                    known = block.stretch.beginning(end, at)
                    self._builder.reach(self.landing.learn(file, known, track.seconds))
                yield at
            if why := rejects_too_much(before, self._rejected[file.name]):
                raise GivenUp(why)
        self._left = reading.left
        self._sources.note(file.sources, validator.taken)
        self._read += 1
        if many := many_unknown(validator.devices_unknown, before - first):
            _log.warning("%s: %s", display_name(file.name), many.en)
        if before == 0 and not self._left:
            _log.warning("%s holds no records (%s)", file.name, reading.unreadable or "only a header")
        elif reading.unreadable:
            _log.warning("%s is not whole: %s", file.name, reading.unreadable)
        for note in reading.notes:
            _log.warning("%s: %s", display_name(file.name), note.en)

    def _is_there(self, file: ReadyFile, block: Block) -> bool:
        """Tell whether `block` is still in the file; appended data does not matter."""
        found = self.landing.find(file, may_grow=self._grows)
        if found is SecondLook.GROWN:
            self._grows = block.stretch is not None and block.stretch.is_there()
            return self._grows
        return found is SecondLook.SAME

    def _failed(self, file: ReadyFile, at: int, fault: BaseException) -> None:
        """Quarantine an unreadable file, or retry later after an error of the system."""
        try:
            open_regular(file.path, self.root).close()
        except (OSError, NotRegular) as refused:
            fault = refused
        if isinstance(fault, OSError):
            if file.name not in self._refused:
                _log.warning("%s cannot be read (%s); it is tried again", file.name, fault.strerror or fault)
            self._refused.add(file.name)
            self.landing.refuse(file)
            return
        _log.warning("%s is set aside: %s", file.name, _one_line(fault))
        reason = (
            QuarantineReason.OVERSIZED if isinstance(fault, GivenUp) else QuarantineReason.UNREADABLE_FILE
        )
        self._rejected.clear()  # so that this row is stored whatever the number of rejected records
        self._builder.set_aside(file.name, Rejected(None, reason, _one_line(fault)))
        self._builder.reach({file.origin: self.landing.reach(file, finished(at + 1))})
        self._builder.reach(self.landing.forget_beginning(file))  # if it grows, it is read as another file

    def _broken_off(self, file: ReadyFile, at: int, found: SecondLook) -> None:
        """Handle a file that changed or vanished while it was read."""
        if found is SecondLook.CHANGED:
            # records already read come again and are dropped as repeats by their hash
            _log.warning("%s changed after %d of its records were read; it is read anew", file.name, at)
            return
        _log.warning("%s vanished after %d of its records were read", file.name, at)
        if at:
            why = f"vanished after {at} records were read"
            self._builder.set_aside(file.name, Rejected(None, QuarantineReason.UNREADABLE_FILE, why))


def _extent(file: ReadyFile) -> Extent | None:
    """Part of a growing `file` to read; None: all, as police cases are signed whole."""
    if any(source.table == "cases" for source in file.sources):
        return None
    return Extent(file.behind, file.size, file.unended)


def _one_line(fault: BaseException) -> str:
    if not isinstance(fault, UnreadableInput):  # a library's message may quote file content
        return f"it cannot be read ({type(fault).__name__}); please report it with the file's first lines"
    return first_line(fault)
