"""SQLite files that a proxy depends on: kept copies, and what happens to a damaged file."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from duanka.domain.network import ListOrigin
from duanka.domain.private_files import private_file

_SIDE_FILES = ("-wal", "-shm")


def put_aside(path: Path) -> Path:
    """Move a damaged file aside, over an earlier one; return where it lies now."""
    aside = path.with_name(f"{path.name}.spoilt")
    with contextlib.suppress(FileNotFoundError):
        path.replace(aside)
    _remove(path, _SIDE_FILES)
    return aside


def restore(path: Path, copy: Path, open_file: Callable[[], None]) -> tuple[Path, ListOrigin]:
    """Replace a damaged file, moved aside, by its last good copy or an empty file.

    `open_file`: opens the file at `path` and creates missing tables; sqlite3.DatabaseError if it is damaged.
    Returns where the damaged file lies, and what stands in its place.
    """
    aside = put_aside(path)
    if copy.exists():
        shutil.copyfile(copy, private_file(path))
        with contextlib.suppress(sqlite3.DatabaseError):
            open_file()
            return aside, ListOrigin.COPY
    _remove(path, ("", *_SIDE_FILES))
    open_file()
    return aside, ListOrigin.NOTHING


def keep_good_copy(copy: Path, vacuum_into: Callable[[str, str], object]) -> None:
    """Replace the copy of a database atomically. `vacuum_into`: runs a statement with one value."""
    fresh = copy.with_name(f"{copy.name}.new")
    fresh.unlink(missing_ok=True)
    vacuum_into("VACUUM INTO ?", str(fresh))
    with fresh.open("rb") as written:
        os.fsync(written.fileno())
    fresh.replace(copy)


def _remove(path: Path, suffixes: tuple[str, ...]) -> None:
    for suffix in suffixes:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
