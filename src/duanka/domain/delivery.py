"""Identity of a delivered file: by content, and cheaply by what the file system says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class FileIdentity:
    """A file of a delivery. `size`: bytes; `digest`: of its content; `stamp`: its inode and time of change.

    `again`: it is read each time, so it must stay where it is.
    """

    name: str
    size: int
    digest: str
    stamp: str = ""
    again: bool = False


class KnownFiles:
    """Files that were taken in before. `told`: digest -> day on which what cannot be used of a file was told of."""

    def __init__(self, files: Iterable[FileIdentity] = (), told: Mapping[str, date] | None = None) -> None:
        known = list(files)
        self._told = told or {}
        self._digests = {file.digest for file in known}
        self._unchanged = {(file.name, file.size, file.stamp): file.digest for file in known if file.stamp}

    def digest_of(self, name: str, size: int, stamp: str) -> str | None:
        """The digest of a file that has not changed since it was taken in; None: its content must be read."""
        return self._unchanged.get((name, size, stamp))

    def told_on(self, digest: str) -> date | None:
        """The day on which a file of this content was read before; None: it was not."""
        return self._told.get(digest)

    def __bool__(self) -> bool:
        """Whether any file was taken in."""
        return bool(self._digests)

    def __contains__(self, digest: str) -> bool:
        """Whether a file of this content was taken in."""
        return digest in self._digests
