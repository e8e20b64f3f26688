"""Checkpoint of the live engine: a JSON document committed with the state."""

from __future__ import annotations

import json
from datetime import date, datetime

from pydantic import BaseModel

VERSION = 5


class SourceProgress(BaseModel):
    """Progress of one source in one table.

    `floor`: windows before it were evaluated without this source. `joined_at` (wall clock) and `begun` (event time):
    when a source appeared that was not there from the start; None for one that was.
    """

    name: str
    table: str
    records: int = 0
    late: int = 0
    repeated: int = 0
    high: datetime | None = None
    floor: datetime | None = None
    heard_at: datetime | None = None
    joined_at: datetime | None = None
    begun: datetime | None = None


class ShelfProgress(BaseModel):
    """Partials of a rollup in the state file; `judged`: evaluated ones."""

    rows: int = 0
    judged: int = 0


class Checkpoint(BaseModel):
    """The whole checkpoint.

    `marks`: rule -> its watermark at the last evaluation; `closed`: rule -> days before this one are evaluated.
    `firsts`, `lasts`: table -> first and last event. `days`: record table -> day -> number of records and last event;
    None in a state of an earlier version. `filled`: table -> columns that hold a value.
    At the last evaluation: `since`: records were complete from here on; `able`: rules that could run;
    `seen`: time as of which registers were read; `certain`, `midnight`: see EndOfRecords, None without one.
    `history`: the backlog is being read, so no record is late and no window closes. `horizon`: windows before it are
    deleted. `forgotten`: table -> time before which repeats are no longer detected, so records are late.
    `recent`: record table -> records that are not in the store yet. `waiting`: files of partial rollups in the store
    that are not evaluated yet. `turn`: number of the next evaluation. `registers`: those that changed since they were
    written to the store.
    `policy`: fingerprint of the policy of the last published decisions; empty if unknown.
    """

    version: int = VERSION
    seq: int = 0
    history: bool = True
    sources: dict[str, SourceProgress] = {}
    firsts: dict[str, datetime] = {}
    lasts: dict[str, datetime] = {}
    days: dict[str, dict[date, tuple[int, datetime]]] | None = None
    filled: dict[str, set[str]] = {}
    marks: dict[str, datetime] = {}
    closed: dict[str, date] = {}
    since: datetime | None = None
    seen: datetime | None = None
    able: set[str] = set()
    shelves: dict[str, ShelfProgress] = {}
    recent: dict[str, int] = {}
    waiting: list[str] = []
    turn: int = 0
    registers: set[str] = set()
    rules: dict[str, str] = {}
    shape: str = ""
    tidied: date | None = None
    horizon: datetime | None = None
    certain: datetime | None = None
    midnight: datetime | None = None
    forgotten: dict[str, datetime] = {}
    policy: str = ""
    held: dict[str, datetime] = {}  # rule -> wall-clock time since which only new sources delay it


def version_in(document: object) -> int | None:
    """The version stored in a checkpoint document; None if there is none."""
    try:
        said = json.loads(str(document))
    except (ValueError, RecursionError):
        return None
    version = said.get("version") if isinstance(said, dict) else None
    return version if isinstance(version, int) else None
