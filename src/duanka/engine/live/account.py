"""Report figures from the live state: intake, rules that ran, cards at risk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from duanka.domain.findings import LiveAccount
from duanka.domain.intake_report import FileAccount, Intake
from duanka.domain.ports import Profile, RecordCoverage, RuleRun
from duanka.domain.schema import TABLES
from duanka.domain.streaming import LiveReason, SourceReach
from duanka.engine.live.state.compiled_rule import CompiledRule
from duanka.engine.live.state.rollup_shelf import RollupShelf
from duanka.engine.live.state.state_file import LiveState
from duanka.engine.live.state.watermarks import Watermarks
from duanka.engine.shared.available_data import AvailableData
from duanka.engine.shared.breakdown import profile
from duanka.engine.shared.hit_table import at_risk


class Accounts:
    """Reads report figures. `everybody`: a SELECT of all cards in the state."""

    def __init__(
        self, state: LiveState, marks: Watermarks, shelves: Mapping[str, RollupShelf], everybody: str
    ) -> None:
        self._run, self._progress, self._marks = state.run, state.progress, marks
        self._shelves, self._everybody = shelves, everybody

    def account(
        self, rules: Sequence[CompiledRule], given: AvailableData, out: Path, now: datetime
    ) -> LiveAccount | None:
        """All figures, from the state and the files in `out`; None before any record."""
        span = self._span()
        if span is None:
            return None
        sources = tuple(self._marks.sources(now))
        return LiveAccount(
            span=span,
            intake=self._intake(sources, out),
            sources=sources,
            runs=tuple(self._rule_results(rules, given)),
            cards=self._cards(),
            profile=self._profile(out),
        )

    def _span(self) -> RecordCoverage | None:
        latest = self._marks.latest()
        firsts = [first for table, first in self._progress.firsts.items() if TABLES[table].record]
        if latest is None or not firsts:
            return None
        midnight = self._progress.midnight  # the end of records assumed by `--once`
        until = max(latest, midnight) if midnight else latest
        first = min(firsts)
        return RecordCoverage(first, self._marks.since() or first, until, latest, reach=latest)

    def _intake(self, sources: Collection[SourceReach], out: Path) -> Intake:
        """Record counts since the state was created; register rows are not counted."""
        refused = [reason.value for reason in LiveReason]
        aside: dict[str, int] = dict(self._run("SELECT reason, count(*) FROM state.quarantine GROUP BY 1"))
        read = sum(source.records for source in sources)
        unread = sum(count for reason, count in aside.items() if reason not in refused)
        records, quarantined = read + unread, sum(aside.values())
        whole = FileAccount("", "", records, records - quarantined, quarantined)
        columns = {table: frozenset(names) for table, names in self._progress.filled.items()}
        return Intake({}, columns, (whole,), out / "quarantine.parquet")

    def _rule_results(self, rules: Sequence[CompiledRule], given: AvailableData) -> list[RuleRun]:
        """Result of each rule; live runs do not count the cards that could not be judged."""
        counts = self._run("SELECT rule, count(*), count(DISTINCT card) FROM state.hits GROUP BY 1")
        found = {rule: (hits, cards) for rule, hits, cards in counts}
        runs = []
        for one in rules:
            lacks, without = given.lacks(one.rule), given.without(one.rule)
            runs.append(RuleRun(one.id, *found.get(one.id, (0, 0)), lacks=lacks, without=without))
        return runs

    def _cards(self) -> int:
        registered = int(self._run("SELECT count(*) FROM state.cards")[0][0])
        return registered or int(self._run(f"SELECT count(DISTINCT card) FROM ({self._everybody})")[0][0])

    def _profile(self, out: Path) -> Profile:
        self._run(at_risk(out / "cards_at_risk.csv"))
        tables = {"cards": "state.cards", "outlets": "state.outlets", "hits": "state.hits"}
        devices = self._shelves.get("card_devices")
        if devices:
            tables["card_devices"] = f"(SELECT DISTINCT card, imei FROM ({devices.raw('card, imei')}))"
        return profile(self._run, (devices and ["card_devices"]) or [], self._run, tables)
