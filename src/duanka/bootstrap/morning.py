"""`duanka morning`: processes new records and compares today's list with the last."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from duanka.application.scan import CARDS_AT_RISK
from duanka.bootstrap import live as app_live
from duanka.bootstrap.live import LiveOutcome, LiveRun
from duanka.bootstrap.settings import Settings
from duanka.domain.local_time import OperatorZone
from duanka.domain.private_files import put_in_place, write_private
from duanka.domain.streaming import LiveObserver, SourceReach
from duanka.reports.list_changes import ListChanges, write_changes
from duanka.reports.spreadsheet import write_spreadsheet

CHANGES = "changes.csv"
_LAST = ".last_morning.csv"  # the list of the last successful morning run
_MISSING = "missing_days.json"  # days missing at the last run, to report their arrival
LATENESS = timedelta(days=4)  # records up to three mornings late are still judged


@dataclass(frozen=True)
class Morning:
    """Result of a morning run.

    `day`: the day that should be complete. `missing`: source -> its last day, for sources that lack `day`.
    `came`: source -> day that was missing at an earlier run and has arrived since.
    """

    outcome: LiveOutcome
    changes: ListChanges
    day: date
    missing: dict[str, date]
    came: dict[str, date]

    @property
    def bad_share(self) -> float:
        """Share (0 to 1) of this run's records that were unreadable, invalid or too late."""
        followed = self.outcome.followed
        return (followed.aside + followed.late) / followed.records if followed.records else 0.0


def yesterday(zone: OperatorZone, now: datetime) -> date:
    """The day before `now` (with zone) in the operator's zone."""
    return (zone.local(now) - timedelta(days=1)).date()


def morning(
    settings: Settings, asked: LiveRun, day: date, watch: LiveObserver, said: Callable[[str], None]
) -> Morning:
    """Process new records, compare with the last list. On an error, raised as by `live`, that list stays."""
    asked.out.mkdir(parents=True, exist_ok=True)
    outcome = app_live.follow(settings, replace(asked, once=True), watch, said)
    changes = write_changes(asked.out / _LAST, asked.out / CARDS_AT_RISK, asked.out / CHANGES)
    told = asked.out / CHANGES
    write_spreadsheet(told, told.with_suffix(".xlsx"), asked.language or settings.language)
    app_live.write_report(outcome, changes)
    missing = late_sources(outcome.followed.last.sources, day)
    came = _came(asked.out / _MISSING, outcome.followed.last.sources)
    write_private(asked.out / _MISSING, json.dumps(dict.fromkeys(missing, str(day))).encode())
    # Written last: a run that fails is repeated and compared with the same list as before.
    with put_in_place(asked.out / _LAST) as aside:
        shutil.copyfile(asked.out / CARDS_AT_RISK, aside)
    return Morning(outcome, changes, day, missing, came)


def late_sources(sources: tuple[SourceReach, ...], day: date) -> dict[str, date]:
    """Source -> last day with records, for sources that end before `day`; nobody waits for more of a mere copy."""
    return {
        source.name: source.high.date()
        for source in sources
        if source.high and source.high.date() < day and not source.is_copy
    }


def _came(path: Path, sources: tuple[SourceReach, ...]) -> dict[str, date]:
    """Source -> day that was missing when `path` was written and has arrived since."""
    try:
        missed = {name: date.fromisoformat(day) for name, day in json.loads(path.read_bytes()).items()}
    except (FileNotFoundError, ValueError, AttributeError):
        return {}
    reached = {source.name: source.high.date() for source in sources if source.high}
    return {name: day for name, day in missed.items() if name in reached and reached[name] >= day}
