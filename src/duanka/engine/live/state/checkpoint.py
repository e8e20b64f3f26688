"""How far the live engine has come: one small document, kept with the state in the same transaction."""

from __future__ import annotations

import json
from datetime import date, datetime

from pydantic import BaseModel

VERSION = 3


class SourceProgress(BaseModel):
    """How far one source has come with one table.

    `floor`: what came before the source was known has been judged without it. `joined_at`, `begun`: the clock and the
    event at which a source came that was not there from the start; None for one that was.
    """

    name: str
    table: str
    records: int = 0
    late: int = 0
    high: datetime | None = None
    floor: datetime | None = None
    heard_at: datetime | None = None
    joined_at: datetime | None = None
    begun: datetime | None = None


class Generation(BaseModel):
    """One table of partial rollups. `first` and `last`: the windows it holds, for rollups that have any."""

    number: int
    rows: int = 0
    first: datetime | None = None
    last: datetime | None = None
    merged: bool = False


class Merging(BaseModel):
    """A merge under way: the generations `inputs` become `output`; `slices` of it are written."""

    inputs: list[int]
    output: int
    slices: int = 0
    rows: int = 0


class ShelfProgress(BaseModel):
    """The generations of a rollup; `judged`: rows of the open one, `fresh`, that rules have seen."""

    fresh: Generation = Generation(number=0)
    sealed: list[Generation] = []
    judged: int = 0
    merging: Merging | None = None

    @property
    def numbers(self) -> list[int]:
        """Its tables."""
        merged = [self.merging.output] if self.merging else []
        return [*(g.number for g in self.sealed), self.fresh.number, *merged]


class Checkpoint(BaseModel):
    """All of it. `marks`: rule -> now as it last saw it; `closed`: rule -> days before it are judged.

    `firsts`, `lasts`: table -> first and last event; `days`: record table -> day -> its records and their last event,
    None in a state of an earlier version; `filled`: table -> columns with a value; `since`: from when
    on absences were certain at the last judgement; `able`: rules that could run then; `seen`: registers showed what
    is known then. `history`: what is read was there at the start, so nothing of it is late and no window closes.
    `horizon`: windows before it are forgotten. `certain`, `midnight`: the end that was last assumed.
    `forgotten`: table -> before when it is not known any more which records came. `policy`: fingerprint of the
    policy under which the decisions were told last; empty where that is not known.
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
    rules: dict[str, str] = {}
    shape: str = ""
    tidied: date | None = None
    horizon: datetime | None = None
    certain: datetime | None = None
    midnight: datetime | None = None
    forgotten: dict[str, datetime] = {}
    policy: str = ""
    held: dict[str, datetime] = {}  # rule -> since when, by the clock, new sources alone hold it up


def version_in(document: object) -> int | None:
    """The version that a stored progress says it is of; None where it says none."""
    try:
        said = json.loads(str(document))
    except (ValueError, RecursionError):
        return None
    version = said.get("version") if isinstance(said, dict) else None
    return version if isinstance(version, int) else None
