"""`duanka morning`: processes new records and compares today's list with the last."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from duanka.application.scan import CARDS_AT_RISK
from duanka.bootstrap import live as app_live
from duanka.bootstrap import scan as app_scan
from duanka.bootstrap.live import InboxInput, LiveOutcome, LiveRun
from duanka.bootstrap.outputs.folders import made_folder
from duanka.bootstrap.settings import Settings
from duanka.bootstrap.store.folders import may_store, must_lie_outside
from duanka.decision_log.decision_changes import DecisionChanges
from duanka.domain.errors import DuankaError
from duanka.domain.findings import Findings
from duanka.domain.local_time import OperatorZone
from duanka.domain.ports import Progress
from duanka.domain.private_files import put_in_place, write_private
from duanka.domain.streaming import LiveObserver, SourceReach
from duanka.domain.text import BilingualText
from duanka.ingest import FinishedFiles, put_away_delivered
from duanka.reports.list_changes import ListChanges, write_changes
from duanka.reports.spreadsheet import write_spreadsheet

CHANGES = "changes.csv"
_LAST = ".last_morning.csv"  # the list of the last successful morning run
_MISSING = "missing_days.json"  # days missing at the last run, to report their arrival
LATENESS = timedelta(days=4)  # records up to three mornings late are still judged


@dataclass(frozen=True)
class Morning:
    """Result of a morning run.

    `outcome`: of the live run, or of the scan into a store. `day`: the day that should be complete. `missing`: source
    -> its last day, for sources that lack `day`. `came`: source -> day that was missing at an earlier run and has
    arrived since.
    """

    outcome: LiveOutcome | Findings
    out: Path
    changes: ListChanges
    day: date
    missing: dict[str, date]
    came: dict[str, date]

    @property
    def bad_share(self) -> float:
        """Share (0 to 1) of this run's records that were unreadable, invalid or too late; as told before aside."""
        if isinstance(self.outcome, Findings):
            return self.outcome.bad_share
        followed = self.outcome.followed
        records, bad = followed.records, followed.aside + followed.late
        return bad / records if records else 0.0

    @property
    def cut_off(self) -> bool:
        """Whether a file could not be read to its end, as a scan into a store tells."""
        return isinstance(self.outcome, Findings) and self.outcome.intake.cut_off


def yesterday(zone: OperatorZone, now: datetime) -> date:
    """The day before `now` (with zone) in the operator's zone."""
    return (zone.local(now) - timedelta(days=1)).date()


def morning(
    settings: Settings, asked: LiveRun, day: date, watch: LiveObserver, said: Callable[[BilingualText], None]
) -> Morning:
    """Process new records, compare with the last list. On an error, raised as by `live`, that list stays."""
    with made_folder(asked.out):
        outcome = app_live.follow(settings, replace(asked, once=True), watch, said)
    changes = _write_changes(settings, asked, asked.out / CARDS_AT_RISK)
    app_live.write_report(outcome, changes)
    return _ended(outcome, asked.out, changes, day, outcome.followed.last.sources)


def morning_into_store(
    settings: Settings,
    asked: LiveRun,
    store: Path,
    day: date,
    progress: Progress,
    said: Callable[[BilingualText], None],
    remote: str | None = None,
) -> Morning:
    """Take what is new in the inbox into `store`, judge all that it holds, compare with the last list.

    The decisions go on as those of a live run do: a line for each card about which the list decides otherwise. On an
    error the last list stays. Files are put away when the store has them. `remote`: Spark Connect server that judges.
    """
    inbox = asked.source
    if not isinstance(inbox, InboxInput):
        raise DuankaError("a morning reads an inbox; name its folder")
    must_lie_outside(asked.out, "--out", store)  # before the decisions are opened, which makes the folder
    may_store(store, None, inbox.folder)
    if settings.decision_key is None:
        said(app_scan.NO_SEAL)
    found: list[ListChanges] = []

    def compared(now: Path) -> ListChanges:
        found.append(_write_changes(settings, asked, now))
        return found[0]

    with made_folder(asked.out), closing(DecisionChanges(asked.out, settings.decision_key)) as decisions:
        findings = app_scan.scan(
            settings,
            inbox.folder,
            asked.out,
            policy=asked.policy,
            progress=progress,
            mapping=inbox.mapping,
            lists=asked.lists,
            memory=asked.memory,
            language=asked.language,
            store=store,
            changes=decisions,
            compared=compared,
            finished=FinishedFiles(inbox.folder),
            remote=remote,
        )
        decisions.tell()
    put_away_delivered(inbox.folder, findings.intake.may_go(), inbox.after)
    return _ended(findings, asked.out, found[0], day, findings.stored.reach if findings.stored else ())


def _write_changes(settings: Settings, asked: LiveRun, now: Path) -> ListChanges:
    """Write how the list `now` differs from the last one, for programs and people."""
    told = asked.out / CHANGES
    changes = write_changes(asked.out / _LAST, now, told)
    write_spreadsheet(told, told.with_suffix(".xlsx"), asked.language or settings.language)
    return changes


def _ended(
    outcome: LiveOutcome | Findings,
    out: Path,
    changes: ListChanges,
    day: date,
    sources: tuple[SourceReach, ...],
) -> Morning:
    """Note what is missing, and the list that the next morning is compared with."""
    missing = late_sources(sources, day)
    came = _came(out / _MISSING, sources)
    write_private(out / _MISSING, json.dumps(dict.fromkeys(missing, str(day))).encode())
    # Written last: a run that fails is repeated and compared with the same list as before.
    with put_in_place(out / _LAST) as aside:
        shutil.copyfile(out / CARDS_AT_RISK, aside)
    return Morning(outcome, out, changes, day, missing, came)


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
