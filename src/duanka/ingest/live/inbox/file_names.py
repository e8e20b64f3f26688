"""Tells from a delivered file's path whether to ignore it, and who delivered it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from duanka.domain.schema import TABLES
from duanka.ingest.delivery.discovery import OUTPUT_FOLDER, is_passed_over

TAKEN = "taken"  # folder directly below the inbox to which read files are moved
MARKER = ".done"  # X.csv.done says that X.csv is complete

_UNFINISHED = (".tmp", ".part", ".partial", ".writing", ".unfinished", ".filepart")
_DAY = re.compile(r"(?:19|20)\d\d(?:[-_.]?\d\d){0,5}|(?:year|month|day|date|hour|dt)=.*")
_WITHIN_DAY = re.compile(r"\d\d")


def passed_over(below: str, name: str) -> bool:
    """Tell whether to ignore `name` in folder `below`: hidden, unfinished, or our own."""
    ours = name == OUTPUT_FOLDER or (not below and name == TAKEN)
    return ours or is_passed_over(name) or name.lower().endswith(_UNFINISHED)


def place_of(path: str) -> str:
    """Deliverer of a file: its folders except those of tables and days; "" for none."""
    place: list[str] = []
    in_day = False
    for part in path.split("/")[:-1]:
        # otherwise each day's folder would count as a deliverer that later falls silent
        in_day = bool(_DAY.fullmatch(part)) or (in_day and bool(_WITHIN_DAY.fullmatch(part)))
        if not in_day and part.lower() not in TABLES:
            place.append(part)
    return "/".join(place)


class Markers:
    """Markers in one inbox.

    `required`: True for every file, False for none, None for files in a folder that has a marked file.
    """

    def __init__(self, folder: Path, required: bool | None) -> None:
        self._folder, self._required = folder, required
        self._marked: set[str] = set()  # folders in which a file has a marker

    def note(self, below: str, name: str) -> None:
        """Note the marker `name` in the folder `below`."""
        # a marker without its file must not make other files wait for markers
        of = name.removesuffix(MARKER)
        if of and os.path.lexists(self._folder / (below + of)):
            self._marked.add(below)

    def needed_for(self, name: str) -> bool:
        """Tell whether the file must wait for a marker."""
        if self._required is None:
            return name[: name.rfind("/") + 1] in self._marked
        return self._required

    def written_at(self, name: str) -> int | None:
        """Modification time (ns) of the file's marker; None without one."""
        if self._required is False:
            return None
        try:
            return os.stat(self._folder / (name + MARKER)).st_mtime_ns
        except OSError:
            return None
