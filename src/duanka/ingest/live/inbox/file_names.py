"""What the path of a landed file says: whether it is still being written, its table, and who delivers it."""

from __future__ import annotations

import re

from duanka.domain.schema import TABLES
from duanka.ingest.delivery.discovery import OUTPUT_FOLDER, is_passed_over

TAKEN = "taken"  # the folder, right below the inbox, where files go that were read
MARKER = ".done"  # of X.csv, X.csv.done says that it is whole

_UNFINISHED = (".tmp", ".part", ".partial", ".writing", ".unfinished", ".filepart")
_DAY = re.compile(r"(?:19|20)\d\d(?:[-_.]?\d\d){0,5}|(?:year|month|day|date|hour|dt)=.*")
_WITHIN_DAY = re.compile(r"\d\d")


def passed_over(name: str) -> bool:
    """Tell whether a file or folder of this name is none of ours, or not ready by its own account."""
    return is_passed_over(name) or name == OUTPUT_FOLDER or name.lower().endswith(_UNFINISHED)


def place_of(path: str) -> str:
    """Who delivers the file at `path`: its folders, without those that name a table or a day; "" for none."""
    place: list[str] = []
    in_day = False
    for part in path.split("/")[:-1]:
        # Every day would else be a source of its own, which then falls silent for ever.
        in_day = bool(_DAY.fullmatch(part)) or (in_day and bool(_WITHIN_DAY.fullmatch(part)))
        if not in_day and part.lower() not in TABLES:
            place.append(part)
    return "/".join(place)
