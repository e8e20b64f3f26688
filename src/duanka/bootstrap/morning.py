"""`duanka morning`: what came since yesterday goes into the state; today's list is held against yesterday's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from duanka.application.stream import CARDS_AT_RISK, SPREADSHEET
from duanka.bootstrap import live as app_live
from duanka.bootstrap.live import LiveOutcome, LiveRun
from duanka.bootstrap.settings import Settings
from duanka.domain.local_time import OperatorZone
from duanka.domain.private_files import put_in_place, write_private
from duanka.domain.streaming import LiveObserver, SourceReach
from duanka.reports.list_changes import ListChanges, write_changes
from duanka.reports.spreadsheet import write_spreadsheet

CHANGES = "changes.csv"
_LAST = ".last_morning.csv"  # the list of the last morning that ended well
_MISSING = "missing_days.json"  # what was missing on the last morning, so that its coming is told
LATENESS = timedelta(days=4)  # a day that comes three mornings late is judged, not refused


@dataclass(frozen=True)
class Morning:
    """What a morning came to. `day`: the day that should be in; `missing`: source -> its last day, where it is not.

    `came`: source -> the day that was missing on an earlier morning and has come since.
    """

    outcome: LiveOutcome
    changes: ListChanges
    day: date
    missing: dict[str, date]
    came: dict[str, date]

    @property
    def bad_share(self) -> float:
        """The share of this morning's records that were set aside, unreadable or too late."""
        followed = self.outcome.followed
        return (followed.aside + followed.late) / followed.records if followed.records else 0.0


def yesterday(zone: OperatorZone, now: datetime) -> date:
    """The day before `now`, an aware time, in the operator's zone."""
    return (zone.local(now) - timedelta(days=1)).date()


def morning(
    settings: Settings, asked: LiveRun, day: date, watch: LiveObserver, said: Callable[[str], None]
) -> Morning:
    """Take in what is new, write the lists, and what changed since the lists of the last morning that ended well.

    Raises what `live` raises; then the lists of the morning before stand as they were.
    """
    asked.out.mkdir(parents=True, exist_ok=True)
    outcome = app_live.follow(settings, replace(asked, once=True), watch, said)
    changes = write_changes(asked.out / _LAST, asked.out / CARDS_AT_RISK, asked.out / CHANGES)
    told = asked.out / CHANGES
    write_spreadsheet(told, told.with_suffix(".xlsx"), asked.language or settings.language)
    app_live.write_report(outcome, changes)
    missing = late_sources(outcome.followed.last.sources, day)
    came = _came(asked.out / _MISSING, outcome.followed.last.sources)
    write_private(asked.out / _MISSING, json.dumps(dict.fromkeys(missing, str(day))).encode())
    # Last: a morning that broke off is done again and held against the same list as before.
    with put_in_place(asked.out / _LAST) as aside:
        shutil.copyfile(asked.out / CARDS_AT_RISK, aside)
    return Morning(outcome, changes, day, missing, came)


def late_sources(sources: tuple[SourceReach, ...], day: date) -> dict[str, date]:
    """Source -> the last day of which it has records, where that is before `day`."""
    return {source.name: source.high.date() for source in sources if source.high and source.high.date() < day}


def _came(path: Path, sources: tuple[SourceReach, ...]) -> dict[str, date]:
    """What was missing when `path` was written, and is there now."""
    try:
        missed = {name: date.fromisoformat(day) for name, day in json.loads(path.read_bytes()).items()}
    except (FileNotFoundError, ValueError, AttributeError):
        return {}
    reached = {source.name: source.high.date() for source in sources if source.high}
    return {name: day for name, day in missed.items() if name in reached and reached[name] >= day}


__all__ = ["CHANGES", "LATENESS", "SPREADSHEET", "Morning", "late_sources", "morning", "yesterday"]
