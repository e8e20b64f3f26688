"""Feed of an inbox folder for live intake."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from duanka.domain.case_source import CaseSource
from duanka.domain.delivery import FileIdentity
from duanka.domain.display import display_name
from duanka.domain.errors import DuankaError, UnreadableInput
from duanka.domain.streaming import Batch, IntakeBacklog
from duanka.ingest.delivery.discovery import advice, sources_of
from duanka.ingest.files.directory_walk import walk
from duanka.ingest.live.inbox import file_names as naming
from duanka.ingest.live.inbox.file_reader import FileReader, ReadOptions
from duanka.ingest.live.inbox.landed_file import LandingTimeouts, is_finished, name_of
from duanka.ingest.live.inbox.putting_away import After, put_away
from duanka.ingest.live.inbox.watcher import DirectoryWatcher
from duanka.ingest.live.prefetch import HandOn, Pulse, prefetch
from duanka.ingest.model import mapping as mappings
from duanka.ingest.model.holders import Holders
from duanka.ingest.model.mapping import NATIVE
from duanka.ingest.normalise.columns import Tools

_log = logging.getLogger(__name__)

_FEED = "file"  # prefix of the origins
_MAX_NAMED_FILES = 3  # maximum number of files named in an error


def check_holds_records(folder: Path, mapping: mappings.Mapping) -> None:
    """Raise UnreadableInput if `folder` is missing or has no file for `mapping`."""
    if not folder.is_dir():
        raise UnreadableInput(f"{folder}: no such directory; make it, or check the path")
    others: list[str] = []

    for name, _ in walk(folder, naming.passed_over, lambda _: None):
        try:
            if sources_of(name, mapping):
                return
        except DuankaError:  # reported when the file is read
            return
        if not name.endswith(naming.MARKER):
            others.append(display_name(name) + advice(name))
    there = f"found {', '.join(sorted(others)[:_MAX_NAMED_FILES])}; " if others else ""
    wanted = "calls.csv, calls/*.parquet, …" if mapping.strict else f"what {mapping.name} names in `files`"
    raise UnreadableInput(
        f"{display_name(str(folder))}: no records here yet; {there}put them there ({wanted}), check the path, or"
        " describe files of another form with --mapping (`duanka mapping guess`)"
    )


class Inbox:
    """Feed of the files delivered to `folder` and its subfolders.

    docs/LIVE.md says when a file counts as complete. `after`: what to do with a fully committed file.
    `marker`: whether a file needs a `.done` marker beside it; None: only in folders that hold one. `wait`:
    whether to wait for more when all is read. `imsis`: file for IMSI -> card; None: only in memory.

    Raises UnreadableInput when there is no such folder. An unreadable file does not stop the others.
    """

    def __init__(
        self,
        folder: Path,
        mapping: mappings.Mapping | None = None,
        holder_key: bytes | None = None,
        case_sources: tuple[CaseSource, ...] = (),
        batch_records: int = 100_000,
        batch_seconds: float = 5.0,
        *,
        wait: bool = True,
        after: After = "keep",
        marker: bool | None = None,
        patience: LandingTimeouts | None = None,
        imsis: Path | None = None,
    ) -> None:
        if not folder.is_dir():
            raise UnreadableInput(f"{folder}: no such directory; make it, or check the path")
        self._folder = folder
        self._mapping = mapping or NATIVE
        self._tools = Tools.of(self._mapping, Holders(holder_key, needs_key=False), case_sources, imsis)
        self._after = after
        self._marker = marker
        self._patience = patience or LandingTimeouts()
        self._going = ReadOptions(
            threading.Event(), self._patience.poll, batch_records, batch_seconds, wait=wait
        )
        self._landing: DirectoryWatcher | None = None
        self._pulse = Pulse()
        self._away: deque[str] = deque()

    @staticmethod
    def origin_of(file: FileIdentity) -> str:
        """Origin of a file that a scan of the folder took in; unchanged since, it is not read again."""
        return f"{_FEED}:{file.name}@{file.size}@{file.stamp.split('-')[1]}"

    def batches(self, done: Mapping[str, int]) -> Iterator[Batch]:
        """Yield batches of the delivered records, oldest file first; see Feed."""
        landing = DirectoryWatcher(
            self._folder, self._mapping, _FEED, done, self._patience, self._marker, self._put_away
        )
        self._landing = landing

        def work(hand_on: HandOn) -> None:
            with ThreadPoolExecutor(2) as pool:
                FileReader(
                    self._folder, self._pulse, landing, self._tools, pool, self._going, hand_on, self._away
                ).run()

        for batch in prefetch(work, self._going.stop, self._going.seconds):
            landing.backlog.handed_on(batch.positions)
            yield batch

    def settled(self, positions: Mapping[str, int]) -> None:
        """Move or delete the files that are fully committed, as set by `after`."""
        for origin, position in positions.items():
            if origin.startswith(f"{_FEED}:") and is_finished(position) and self._put_away(origin):
                self._away.append(origin)

    def waiting(self) -> IntakeBacklog:
        """Number of files not fully handed on, and their bytes on disk."""
        if self._landing is None:
            return IntakeBacklog()
        return replace(self._landing.backlog.counted(), stalled=self._pulse.stalled)

    def stop(self) -> None:
        """End `batches` soon; records not handed on are read again next time."""
        self._going.stop.set()

    def _put_away(self, origin: str) -> bool:
        """Move or delete a file; False if it stays."""
        if self._after == "keep":
            return False
        name = name_of(origin)
        path = self._folder / name
        try:
            now = path.lstat()
            if not origin.endswith(f"@{now.st_size}@{now.st_mtime_ns}"):
                return False  # replaced by a new delivery
        except OSError:
            return False
        return put_away(self._folder, name, self._after)
