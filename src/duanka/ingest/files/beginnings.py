"""Growing files: the part already read is known by its digest; read only the rest.

Besides the file's own position, one is stored under `Beginning.key`, which names the digest of the part read.
A file that begins with the same bytes is read from there on, whatever its size and modification time;
otherwise it is treated as another file.
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
# Maximum number of sizes of known beginnings that a new file is compared with.
_MAX_COMPARED_FILES = 1_000


class BeginningChanged(UnreadableInput):
    """The file no longer begins with the bytes read before; the message says how."""


@dataclass(frozen=True)
class Beginning:
    """The first `size` bytes of a file: SHA-256 (hex) and number of records."""

    size: int
    digest: str
    records: int

    def key(self, feed: str, entry: str) -> str:
        """Key under which the position `records` is stored."""
        return f"{feed}:{display_name(entry)}@{self.size}@{_DIGEST}{self.digest}"


@dataclass(frozen=True)
class Extent:
    """Part of a file to read: after `behind`, up to `size` bytes; None: no limit.

    `unended`: whether to read a last line that has no line end.
    """

    behind: Beginning | None = None
    size: int | None = None
    unended: bool = True


class Beginnings:
    """Known beginnings of the files of a feed, by path below the inbox."""

    def __init__(self, feed: str, done: Mapping[str, int]) -> None:
        self._feed = feed
        self._known: dict[str, Beginning] = {}
        self._changed: dict[str, Beginning] = {}  # of files that have been replaced
        for origin, position in done.items():
            if origin.startswith(f"{feed}:") and is_beginning(origin) and position != GONE:
                name, size, digest = origin.partition(":")[2].rsplit("@", 2)
                self._known[original_name(name)] = Beginning(
                    int(size), digest.removeprefix(_DIGEST), position
                )

    def of(self, entry: str) -> Beginning | None:
        """Known beginning of the file at `entry`, if any."""
        return self._known.get(entry)

    def moved(self, entry: str, root: Path, size: int, alike: Callable[[str], bool]) -> Beginning | None:
        """Find the longest known beginning of a moved file that `entry` starts with.

        `root`: folder of all paths; `size`: bytes of the file; `alike`: whether another entry feeds the same tables.
        If the file at the other entry still begins the same, `entry` is a copy: returns None.
        """
        sizes: dict[int, list[tuple[str, Beginning]]] = {}
        for other, one in (*self._changed.items(), *self._known.items()):
            if one.records and one.size <= size and other != entry and alike(other):
                sizes.setdefault(one.size, []).append((other, one))
        looked_at = sorted(sizes.items())[-_MAX_COMPARED_FILES:]
        found = None
        for (_, few), digest in zip(
            looked_at, _digests(root / entry, root, [one for one, _ in looked_at]), strict=False
        ):
            same = [(other, one) for other, one in few if one.digest == digest]
            if any(next(_digests(root / other, root, [one.size]), "") != digest for other, one in same):
                found = same[0][1]
        return found

    def learn(self, entry: str, beginning: Beginning) -> dict[str, int]:
        """Store a beginning; return the changed positions, to save or delete."""
        positions = self.forget(entry)
        self._known[entry] = beginning
        return positions | {beginning.key(self._feed, entry): beginning.records}

    def changed(self, entry: str) -> dict[str, int]:
        """Note that `entry` was replaced; return the positions to delete.

        The old content may appear again at another path.
        """
        if entry in self._known:
            self._changed[entry] = self._known[entry]
        return self.forget(entry)

    def forget(self, entry: str) -> dict[str, int]:
        """Drop the beginning of the file at `entry`; return the positions to delete."""
        before = self._known.pop(entry, None)
        return {} if before is None else {before.key(self._feed, entry): GONE}


def _digests(path: Path, root: Path, sizes: Sequence[int]) -> Iterator[str]:
    """Yield the digest of the first n bytes of a file for each n in `sizes` (ascending).

    Stops where the file is shorter.
    """
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
    except (UnreadableInput, OSError):  # reported when the file is read
        return


def is_beginning(origin: str) -> bool:
    """Tell whether the key `origin` is that of a beginning."""
    return origin.rpartition("@")[2].startswith(_DIGEST)


class Track:
    """Running digest of the first `size` bytes; `records`: number read by earlier runs."""

    def __init__(self, path: Path, root: Path | None) -> None:
        self.size = 0
        self.records = 0
        self.seconds = 0.0  # time spent on verifying a known beginning
        self.path = path
        self.root = root
        self._digest = hashlib.sha256()

    def resume(self, file: BinaryIO, behind: Beginning) -> None:
        """Seek to the end of `behind`; BeginningChanged if its digest does not match."""
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
        """Skip a line end added to the last line, or seek back if the line was continued."""
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
            raise BeginningChanged("continues its first line, or a line that is too long")
        file.seek(0)
        self.size, self._digest = 0, hashlib.sha256()
        self._take(file, begin)
        self.records -= 1

    def _take(self, file: BinaryIO, upto: int) -> None:
        while self.size < upto and (piece := file.read(min(_PIECE, upto - self.size))):
            self._digest.update(piece)
            self.size += len(piece)

    def feed(self, octets: bytes | memoryview, end: int) -> None:
        """Add `octets`, which end at file offset `end`; part of them may be known already."""
        fresh = end - self.size
        if fresh > 0:
            self._digest.update(memoryview(octets)[max(len(octets) - fresh, 0) :])
            self.size = end

    def beginning(self, records: int) -> Beginning:
        """The beginning read so far, with `records` records."""
        return Beginning(self.size, self._digest.hexdigest(), records)


@dataclass(frozen=True)
class Stretch:
    """Byte positions of a block's records in the file.

    `body` ends at file offset `end`, its record n at `ends`[n - 1].
    """

    track: Track
    body: bytes
    end: int
    ends: npt.NDArray[np.int64]

    def beginning(self, records: int, total: int) -> Beginning:
        """The file up to record `records` of the block (record `total` of the file).

        Call it in ascending order of `records`.
        """
        upto = min(int(self.ends[records - 1]) + 1, len(self.body))
        self.track.feed(memoryview(self.body)[:upto], self.end - (len(self.body) - upto))
        return self.track.beginning(total)

    def is_there(self) -> bool:
        """Tell whether the file still holds these bytes; appended ones are ignored."""
        fresh = max(len(self.body) - (self.end - self.track.size), 0)
        try:
            with opened(self.track.path, self.track.root) as file:
                file.seek(self.track.size)
                return file.read(len(self.body) - fresh) == self.body[fresh:]
        except (UnreadableInput, OSError):
            return False
