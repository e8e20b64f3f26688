"""Moves or deletes what was read of an inbox."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Literal

from duanka.domain.delivery import FileIdentity
from duanka.domain.display import display_name, original_name
from duanka.ingest.delivery.discovery import stamp_of
from duanka.ingest.live.inbox import file_names as naming

_log = logging.getLogger(__name__)

_MAX_NAME_BYTES = 255  # maximum bytes of a file name

After = Literal["keep", "move", "delete"]


def put_away(folder: Path, name: str, after: After) -> bool:
    """Move or delete the file `name`, a path below the inbox `folder`, with its marker; False if it stays."""
    path = folder / name
    try:
        # delete the marker first: left behind, it would mark the next file of this name as complete
        with suppress(OSError):  # no marker, or the name is too long for one
            (folder / (name + naming.MARKER)).unlink()
        if after == "delete":
            path.unlink()
        elif after == "move":
            taken = _own_folder(folder, naming.TAKEN, *PurePath(name).parts[:-1])
            path.rename(_free(taken / path.name))
    except FileNotFoundError:
        return False
    except OSError as fault:
        why = fault.strerror or fault
        _log.warning("%s is read, but cannot be put away (%s); it stays", display_name(name), why)
        return False
    return True


def put_away_delivered(folder: Path, files: Iterable[FileIdentity], after: After) -> int:
    """Put away those of the delivered `files` that are as they were read; return how many."""
    if after == "keep":
        return 0
    named = [(original_name(file.name), file.stamp) for file in files]
    return sum(put_away(folder, name, after) for name, stamp in named if _stamp(folder, name) == stamp)


def _stamp(folder: Path, name: str) -> str | None:
    try:
        return stamp_of(folder / name, folder)
    except OSError:  # gone
        return None


def _own_folder(root: Path, *below: str) -> Path:
    """Create the nested folders `below` in `root`; OSError if one is a link."""
    folder = root
    for part in below:
        folder = folder / part
        folder.mkdir(exist_ok=True)
        if folder.is_symlink():
            raise NotADirectoryError(errno.ENOTDIR, f"{display_name(part)} is a link")
    return folder


def _free(path: Path) -> Path:
    """Return `path`, with a number appended if it exists."""
    number, free = 2, path
    while os.path.lexists(free):
        ending = f".{number}"
        name = os.fsencode(path.name)[: _MAX_NAME_BYTES - len(ending)]
        free = path.with_name(os.fsdecode(name) + ending)
        number += 1
    return free
