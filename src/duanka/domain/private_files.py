"""Files that their owner alone may read: everything we write names people, or opens something."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UMASK = 0o077  # of every process of ours: nothing for group and others
_FILE, _FOLDER = 0o600, 0o700
_SQLITE = ("", "-wal", "-shm", "-journal")  # a log takes its mode from the database when it is made


def private_folder(folder: Path) -> None:
    """Make a folder with those above it, for its owner alone; one that is there stays as it is. OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=_FOLDER, exist_ok=True)


def private_file(path: Path) -> Path:
    """Make an empty file for its owner alone where there is none; tighten the one that is there. OSError.

    Called before a library opens the file, which would make it as the umask of a foreign process says. A file that is
    there is not opened: to close it again would drop every lock that this process holds on it (POSIX), and another
    process that closes an SQLite database would then throw away the log that we still write.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE))
    tighten(path)
    return path


@contextmanager
def put_in_place(path: Path) -> Iterator[Path]:
    """Give a private file beside `path`: what was written there takes its place, whole, or goes. OSError."""
    aside = private_file(path.with_name(f"{path.name}.unfinished"))
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_private(path: Path, content: bytes) -> None:
    """Put a file with this content in the place of what is there, whole or not at all. OSError."""
    aside = private_file(path.with_name(f"{path.name}.{os.getpid()}"))
    aside.write_bytes(content)
    aside.replace(path)


def private_database(path: Path) -> Path:
    """As `private_file`, for an SQLite database and the logs beside it."""
    private_file(path)
    tighten(*(path.with_name(path.name + ending) for ending in _SQLITE))
    return path


def tighten(*paths: Path) -> None:
    """Take group and others away from files of ours; what is missing, or is another user's, stays as it is."""
    for path in paths:
        try:
            found = path.lstat()
            ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
            if ours and found.st_mode & UMASK:
                path.chmod(stat.S_IMODE(found.st_mode) & ~UMASK)
        except OSError:  # gone meanwhile, or a file system without modes
            continue
