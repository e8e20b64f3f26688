"""The entries below a delivered folder, whatever is in it: too deep, locked or removed folders stop nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

DEEPEST = 32  # folders below one another; delivered files lie in a few


class Unseen(NamedTuple):
    """A folder below the one that is walked whose entries cannot be listed now; `why` in words."""

    name: str
    why: str


def walk(
    folder: Path, skip: Callable[[str, str], bool], unseen: Callable[[Unseen], None]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield every entry below `folder` that is no folder, with its path below it; links are not followed.

    `skip` is asked with the path of the parent (`"a/b/"` or `""`) and the entry's name. `unseen` is told of each
    folder that cannot be listed. Raises OSError when `folder` itself cannot be.
    """
    # Not recursive: a thousand folders in one another are more than Python's stack holds.
    waiting = [("", 0)]
    while waiting:
        below, depth = waiting.pop()
        try:
            entries = _listed(folder, below)
        except FileNotFoundError:
            if not below:
                raise
            continue  # removed since
        except OSError as fault:
            if not below:
                raise
            unseen(Unseen(below.rstrip("/"), fault.strerror or "it cannot be listed"))
            continue
        for entry in entries:
            if skip(below, entry.name):
                continue
            if not _is_folder(entry):
                yield below + entry.name, entry
            elif depth == DEEPEST:
                unseen(Unseen(below + entry.name, f"more than {DEEPEST} folders below one another"))
            else:
                waiting.append((f"{below}{entry.name}/", depth + 1))


def _listed(folder: Path, below: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder / below) as entries:
        return list(entries)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
