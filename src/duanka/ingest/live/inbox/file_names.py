"""What a delivered file's path tells: whether it is unfinished, and its deliverer."""

from __future__ import annotations

import re

from duanka.domain.schema import TABLES
from duanka.ingest.delivery.discovery import OUTPUT_FOLDER, is_passed_over

TAKEN = "taken"  # folder directly below the inbox to which read files are moved
MARKER = ".done"  # X.csv.done says that X.csv is complete

_UNFINISHED = (".tmp", ".part", ".partial", ".writing", ".unfinished", ".filepart")
_DAY = re.compile(r"(?:19|20)\d\d(?:[-_.]?\d\d){0,5}|(?:year|month|day|date|hour|dt)=.*")
_WITHIN_DAY = re.compile(r"\d\d")


def passed_over(name: str) -> bool:
    """Tell whether to ignore a name: hidden, temporary, or marked as unfinished."""
    return is_passed_over(name) or name == OUTPUT_FOLDER or name.lower().endswith(_UNFINISHED)


def place_of(path: str) -> str:
    """Deliverer of a file: its folders except those of tables and days; "" for none."""
    place: list[str] = []
    in_day = False
    for part in path.split("/")[:-1]:
        # otherwise each day would be a source of its own that falls silent
        in_day = bool(_DAY.fullmatch(part)) or (in_day and bool(_WITHIN_DAY.fullmatch(part)))
        if not in_day and part.lower() not in TABLES:
            place.append(part)
    return "/".join(place)
