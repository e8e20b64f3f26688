"""Files readable by their owner only: all that we write is personal or secret."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path

UMASK = 0o077  # of all our processes: nothing for group and others
_NO_ROOM = (ENOSPC, EFBIG, EDQUOT)
_FILE, _FOLDER = 0o600, 0o700
_SQLITE = ("", "-wal", "-shm", "-journal")  # a log gets its mode from the database when it is created


def private_folder(folder: Path) -> None:
    """Create a private folder with its parents; an existing one is unchanged. OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=_FOLDER, exist_ok=True)


def private_file(path: Path) -> Path:
    """Create an empty private file if missing, or restrict the existing one. OSError.

    Call it before a library opens the file, which would create it with the process's umask. An existing file is not
    opened, because closing it would drop every lock this process holds on it (POSIX), and another process that closes
    an SQLite database could then delete the log we still write.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE))
    tighten(path)
    return path


@contextmanager
def put_in_place(path: Path) -> Iterator[Path]:
    """Yield a private temporary file; on success it replaces `path`. OSError."""
    aside = private_file(path.with_name(f"{path.name}.unfinished"))
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` by a private file with this content, atomically. OSError."""
    aside = private_file(path.with_name(f"{path.name}.{os.getpid()}"))
    aside.write_bytes(content)
    aside.replace(path)


def copied(path: Path, into: Path) -> None:
    """Copy a file with its mode and times. OSError: of `into`, where that finds no room."""
    try:
        shutil.copy2(path, into)
    except OSError as error:
        if error.errno in _NO_ROOM:  # reported of the file that is read
            raise OSError(error.errno, error.strerror, str(into)) from error
        raise


def private_database(path: Path) -> Path:
    """Like `private_file`, for an SQLite database and its logs."""
    private_file(path)
    tighten(*(path.with_name(path.name + ending) for ending in _SQLITE))
    return path


def tighten(*paths: Path) -> None:
    """Remove access of group and others; skip files missing or of another user."""
    for path in paths:
        try:
            found = path.lstat()
            ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
            if ours and found.st_mode & UMASK:
                path.chmod(stat.S_IMODE(found.st_mode) & ~UMASK)
        except OSError:  # removed meanwhile, or a file system without modes
            continue
