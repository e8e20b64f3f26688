"""Directory walk that skips too deep, unreadable or removed folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

DEEPEST = 32  # maximum depth of nested folders


class Unseen(NamedTuple):
    """A folder below the walked one that cannot be listed now; `why` for people."""

    name: str
    why: str


def walk(
    folder: Path, skip: Callable[[str, str], bool], unseen: Callable[[Unseen], None]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield all non-folder entries below `folder` with their paths; follow no links.

    `skip`: called with the parent's path (`"a/b/"` or `""`) and the name. `unseen`: called for each folder that cannot
    be listed. Raises OSError when `folder` itself cannot be listed.
    """
    # not recursive: a thousand nested folders would exceed Python's recursion limit
    waiting = [("", 0)]
    while waiting:
        below, depth = waiting.pop()
        try:
            with os.scandir(folder / below) as found:
                entries = list(found)
        except FileNotFoundError:
            if not below:
                raise
            continue  # removed meanwhile
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


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
