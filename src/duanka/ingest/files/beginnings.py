"""Files that grow: how much of a file was read, known by its bytes, so that only what was added is read.

A position of the kind of `Beginning.key` is kept beside that of the file itself. A file that begins with the same
bytes is read on behind them, whatever its size and time of change; one that does not is another file.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from duanka.domain.display import display_name, original_name
from duanka.domain.errors import UnreadableInput
from duanka.domain.streaming import GONE
from duanka.ingest.files.limits import LINE_LIMIT
from duanka.ingest.files.open_file import opened

_DIGEST = "sha256-"
_PIECE = 1 << 20
_MOST_COMPARED = 1_000  # files that are gone, with which a new one is compared


class BeginningChanged(UnreadableInput):
    """The file does not begin with what was read of it; the text says how."""


@dataclass(frozen=True)
class Beginning:
    """The first `size` bytes of a file, their SHA-256 in hex, and the records that they hold."""

    size: int
    digest: str
    records: int

    def key(self, feed: str, entry: str) -> str:
        """What its position is kept under; the position is `records`."""
        return f"{feed}:{display_name(entry)}@{self.size}@{_DIGEST}{self.digest}"


@dataclass(frozen=True)
class Extent:
    """What of a file is read: behind `behind`, and of the first `size` bytes; None: everything.

    `unended`: whether a last line without a line end counts; else it is left.
    """

    behind: Beginning | None = None
    size: int | None = None
    unended: bool = True


class Beginnings:
    """The known beginnings of the files of a feed, by their paths below the inbox."""

    def __init__(self, feed: str, done: Mapping[str, int]) -> None:
        self._feed = feed
        self._known: dict[str, Beginning] = {}
        self._changed: dict[str, Beginning] = {}  # of files that are others by now
        for origin, position in done.items():
            if origin.startswith(f"{feed}:") and is_beginning(origin) and position != GONE:
                name, size, digest = origin.partition(":")[2].rsplit("@", 2)
                self._known[original_name(name)] = Beginning(
                    int(size), digest.removeprefix(_DIGEST), position
                )

    def of(self, entry: str) -> Beginning | None:
        """What is known of the file at `entry`."""
        return self._known.get(entry)

    def moved(self, entry: str, root: Path, size: int, alike: Callable[[str], bool]) -> Beginning | None:
        """What is known of a file that was at another path: the longest beginning that the one at `entry` has, too.

        `root`: of all paths; `size`: of the file; `alike`: tells of another entry whether it feeds the same tables.
        Where that entry's file still begins so, the one at `entry` is a copy, and nothing is known of it.
        """
        sizes: dict[int, list[tuple[str, Beginning]]] = {}
        for other, one in (*self._changed.items(), *self._known.items()):
            if one.records and one.size <= size and other != entry and alike(other):
                sizes.setdefault(one.size, []).append((other, one))
        looked_at = sorted(sizes.items())[-_MOST_COMPARED:]
        found = None
        for (_, few), digest in zip(
            looked_at, _digests(root / entry, root, [one for one, _ in looked_at]), strict=False
        ):
            same = [(other, one) for other, one in few if one.digest == digest]
            if any(next(_digests(root / other, root, [one.size]), "") != digest for other, one in same):
                found = same[0][1]
        return found

    def learn(self, entry: str, beginning: Beginning) -> dict[str, int]:
        """Note a beginning; return the positions to keep and to forget."""
        positions = self.forget(entry)
        self._known[entry] = beginning
        return positions | {beginning.key(self._feed, entry): beginning.records}

    def changed(self, entry: str) -> dict[str, int]:
        """The file at `entry` is another: what was known of it may be at another path. Return positions to forget."""
        if entry in self._known:
            self._changed[entry] = self._known[entry]
        return self.forget(entry)

    def forget(self, entry: str) -> dict[str, int]:
        """Know nothing of the file at `entry`; return the positions to forget."""
        before = self._known.pop(entry, None)
        return {} if before is None else {before.key(self._feed, entry): GONE}


def _digests(path: Path, root: Path, sizes: Sequence[int]) -> Iterator[str]:
    """Yield the digests of the first bytes of a file, so many as each of `sizes`, in order; none where it has fewer."""
    digest, read = hashlib.sha256(), 0
    try:
        with opened(path, root) as file:
            for upto in sizes:
                while read < upto and (piece := file.read(min(_PIECE, upto - read))):
                    digest.update(piece)
                    read += len(piece)
                if read < upto:
                    return
                yield digest.hexdigest()
    except (UnreadableInput, OSError):  # whoever reads it is told why
        return


def is_beginning(origin: str) -> bool:
    """Tell whether a position kept under `origin` is that of a beginning."""
    return origin.rpartition("@")[2].startswith(_DIGEST)


class Track:
    """The digest of a file's first `size` bytes, as they are read; `records` of them were read before."""

    def __init__(self, path: Path, root: Path | None) -> None:
        self.size = 0
        self.records = 0
        self.seconds = 0.0  # that looking at a known beginning took
        self.path = path
        self.root = root
        self._digest = hashlib.sha256()

    def resume(self, file: BinaryIO, behind: Beginning) -> None:
        """Go to the end of `behind`. Raises BeginningChanged where the file does not begin so."""
        began = time.monotonic()
        self._take(file, behind.size)
        self.seconds = time.monotonic() - began
        if self.size < behind.size:
            raise BeginningChanged(f"shrank to {self.size:,} bytes")
        if self._digest.hexdigest() != behind.digest:
            raise BeginningChanged("does not begin any more as it did")
        self.records = behind.records
        if behind.size:
            self._end_line(file)

    def _end_line(self, file: BinaryIO) -> None:
        """Where the last line had no line end: read past that, or go back to its begin when the line went on."""
        file.seek(self.size - 1)
        if file.read(1) == b"\n":
            return
        more = file.read(2)
        if more in {b"", b"\r", b"\r\n"} or more.startswith(b"\n"):
            file.seek(self.size)
            self._take(file, self.size + more.find(b"\n") + 1)
            return
        at = max(self.size - LINE_LIMIT, 0)
        file.seek(at)
        begin = at + file.read(self.size - at).rfind(b"\n") + 1
        if begin == at:
            raise BeginningChanged("goes on with its first line, or one too long")
        file.seek(0)
        self.size, self._digest = 0, hashlib.sha256()
        self._take(file, begin)
        self.records -= 1

    def _take(self, file: BinaryIO, upto: int) -> None:
        while self.size < upto and (piece := file.read(min(_PIECE, upto - self.size))):
            self._digest.update(piece)
            self.size += len(piece)

    def feed(self, octets: bytes | memoryview, end: int) -> None:
        """Take in `octets`, of which the last is the file's byte number `end`, from 1, and part may be known."""
        fresh = end - self.size
        if fresh > 0:
            self._digest.update(memoryview(octets)[max(len(octets) - fresh, 0) :])
            self.size = end

    def beginning(self, records: int) -> Beginning:
        """What is taken in, of which there are so many records."""
        return Beginning(self.size, self._digest.hexdigest(), records)


@dataclass(frozen=True)
class Stretch:
    """Where the records of a block stand: `body` ends at the file's byte `end`, and its record n at `ends`[n - 1]."""

    track: Track
    body: bytes
    end: int
    ends: npt.NDArray[np.int64]

    def beginning(self, records: int, total: int) -> Beginning:
        """The file up to the block's record number `records`, which is number `total` of the file.

        To be asked for in order.
        """
        upto = min(int(self.ends[records - 1]) + 1, len(self.body))
        self.track.feed(memoryview(self.body)[:upto], self.end - (len(self.body) - upto))
        return self.track.beginning(total)

    def is_there(self) -> bool:
        """Tell whether the file at the path still holds these bytes, whatever was written behind them."""
        fresh = max(len(self.body) - (self.end - self.track.size), 0)
        try:
            with opened(self.track.path, self.track.root) as file:
                file.seek(self.track.size)
                return file.read(len(self.body) - fresh) == self.body[fresh:]
        except (UnreadableInput, OSError):
            return False
