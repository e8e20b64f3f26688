"""Engine of a scan into a store: judges by difference to the last judgement.

A daily or hourly rule is evaluated for the days that closed or changed since, and for the cards whose register row or
device changed; its other hits stand. Rules about the whole life of a card read rollups that are merged already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path

from duanka.domain.ports import Progress, RecordCoverage, RuleRun
from duanka.domain.rollups import ROLLUPS, Rollup
from duanka.domain.rule import Literal, Rule, Window
from duanka.domain.schema import TABLES
from duanka.engine.batch.changes_since import ChangesSince, LastJudgement, fingerprint
from duanka.engine.batch.duckdb_engine import DuckDBEngine
from duanka.engine.batch.rollup_scopes import LIFE, RollupScope, life_files, rollup_select
from duanka.engine.shared.available_data import any_of
from duanka.engine.shared.duckdb_database import quoted
from duanka.engine.shared.hit_table import first_only, hits_of
from duanka.engine.sql.render import render
from duanka.engine.store.life import counting_days, covered
from duanka.engine.store.manifest import FileKind, Manifest
from duanka.engine.store.next_generation import NextGeneration

_WHOLE, _CHANGED = "whole", "changed"


class StoreEngine(DuckDBEngine):
    """Engine over the commit in progress of a store; `before`: its manifest as last committed."""

    def __init__(
        self,
        draft: NextGeneration,
        before: Manifest,
        work: Path,
        *,
        memory: str = "700MB",
        threads: int | None = None,
        passes: Mapping[str, datetime] | None = None,
    ) -> None:
        super().__init__(work, memory=memory, threads=threads, passes=passes)
        self._draft, self._before = draft, before
        self._changes: dict[
            str, ChangesSince
        ] = {}  # rule -> what it is judged again for; absent: all days, cards
        self._judged: dict[str, LastJudgement] = {}
        self._lists: Mapping[str, Sequence[Mapping[str, object]]] = {}
        self._loaded: RecordCoverage | None = None

    def load(
        self,
        tables: Mapping[str, Sequence[Path]],
        columns: Mapping[str, frozenset[str]],
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        as_of: datetime | None,
        texts: Sequence[Path] = (),
    ) -> RecordCoverage:
        """Open the store; what was delivered just now is in it already."""
        del tables, columns, texts
        manifest = self._draft.manifest
        self._lists = lists
        stored = {
            name: manifest.paths(FileKind.RECORDS if table.record else FileKind.REGISTERS, name)
            for name, table in TABLES.items()
        }
        given = {
            name: [self._draft.folder / path for path in paths] for name, paths in stored.items() if paths
        }
        filled = {name: frozenset(manifest.filled.get(name, ())) for name in given}
        known = [self._draft.folder / path for path in manifest.paths(FileKind.TEXTS)]
        span = super().load(given, filled, lists, as_of, known)
        self._loaded = span
        for name in LIFE:
            files = life_files(self._draft, ROLLUPS[name])
            self._run(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM {files}")
            self._rollups[name] = ROLLUPS[name]
        self._run("CREATE OR REPLACE TABLE stood AS SELECT * FROM hits LIMIT 0")
        if hits := manifest.paths(FileKind.HITS):
            self._run(
                f"INSERT INTO stood SELECT card, rule, seen_at, evidence FROM {self._draft.source(hits)}"
            )
        return span

    @property
    def _span(self) -> RecordCoverage:
        """What the records cover; `load` comes first."""
        if self._loaded is None:
            raise RuntimeError("load() comes before everything else")
        return self._loaded

    def _covered(self, records: Sequence[str], as_of: datetime | None) -> RecordCoverage:
        del records, as_of  # a store is judged as of its last record
        return covered(self._draft.manifest.days)

    def build(
        self,
        rules: Sequence[tuple[Rule, Mapping[str, Literal]]],
        progress: Progress,
        *,
        narrowed: bool = True,
    ) -> None:
        """Decide what each rule is judged again for, and make the rollups that it reads then."""
        able = [(rule, limits) for rule, limits in rules if not self._given.lacks(rule)]
        groups: dict[str, list[tuple[Rule, Mapping[str, Literal]]]] = {}
        for rule, limits in able:
            changes = self._changes_of(rule, limits)
            if changes is not None:
                self._changes[rule.id] = changes
            groups.setdefault(changes.scope if changes else _WHOLE, []).append((rule, limits))
            if changes and changes.cards:
                groups.setdefault(_CHANGED, []).append((rule, limits))
        for done, (name, group) in enumerate(sorted(groups.items())):
            progress.step(f"rollups of {len(group)} rules", done, len(groups))
            self._make(self._scope(name, group), narrowed=narrowed)
        progress.step("rollups", len(groups), len(groups))

    def _changes_of(self, rule: Rule, limits: Mapping[str, Literal]) -> ChangesSince | None:
        """What changed for `rule` since it was judged; None: judge it over all days and cards."""
        now = LastJudgement(
            fingerprint=fingerprint(rule, limits, self._lists, self._given.without(rule)),
            generation=self._draft.number,
            first=self._span.first,
            until=self._span.until,
        )
        self._judged[rule.id] = now
        known = self._before.judged.get(rule.id)
        if known is None:
            return None
        return ChangesSince.of(
            rule, LastJudgement.model_validate(known), now, self._draft, self._before, self._run
        )

    def _scope(self, name: str, rules: Sequence[tuple[Rule, Mapping[str, Literal]]]) -> RollupScope:
        counted = counting_days(self._draft.manifest.days)
        if name == _WHOLE:
            return RollupScope(name, rules, counted)
        changes = [self._changes[rule.id] for rule, _ in rules]
        if name == _CHANGED:
            tables = " UNION ".join(f"SELECT card FROM {one.cards}" for one in changes if one.cards)
            self._run(f"CREATE OR REPLACE TABLE changed_cards AS {tables}")
            return RollupScope(name, rules, counted, "main.changed_cards")
        read = {day for one in changes for day in one.read}
        return RollupScope(name, rules, counted & read)

    def _make(self, scope: RollupScope, *, narrowed: bool) -> None:
        """Create the schema of a scope and its rollups."""
        self._run(f"CREATE SCHEMA IF NOT EXISTS {scope.name}")
        with self._within(scope.name):
            for rollup in scope.rollups:
                if rollup.name in LIFE:
                    continue
                narrow = self._narrow(rollup, scope) if narrowed else ""
                select, copied = rollup_select(self._draft, rollup, scope, narrow)
                self._run(f"CREATE {'TABLE' if copied else 'VIEW'} {scope.name}.{rollup.name} AS {select}")
                self._rollups.setdefault(rollup.name, rollup)

    def _narrow(self, rollup: Rollup, scope: RollupScope) -> str:
        """Condition for the groups of `rollup` that the rules of `scope` need."""
        needed = [
            self._without_found(rule, self._given.narrow(rollup, [(rule, limits)]), scope)
            for rule, limits in scope.rules
            if rollup.name in rule.reads
        ]
        return any_of(needed)

    def _without_found(self, rule: Rule, narrow: str, scope: RollupScope) -> str:
        """`narrow` without the cards of which the first hit, which alone counts, is found already."""
        if not narrow or not rule.first_only or scope.name in (_WHOLE, _CHANGED):
            return narrow
        days = self._changes[rule.id].days
        if not days:
            return narrow
        found = f"SELECT card FROM main.stood WHERE rule = {quoted(rule.id)} AND seen_at < TIMESTAMP '{min(days)}'"
        return f"({narrow}) AND card NOT IN ({found})"

    @contextmanager
    def _within(self, scope: str) -> Iterator[None]:
        """Let rules and rollups read the rollups of a scope."""
        self._run(f"SET search_path = '{scope},main'")
        try:
            yield
        finally:
            self._run("SET search_path = 'main'")

    def run(self, rule: Rule, limits: Mapping[str, Literal]) -> RuleRun:
        """Judge one rule for what changed; its other hits stand."""
        changes = self._changes.get(rule.id)
        if changes is None:
            with self._within(_WHOLE):
                found = super().run(rule, limits)
            return self._with_frozen(rule, found)
        sql = render(rule.sql, {**limits, **self._given.values})
        stands = f"SELECT * FROM stood WHERE rule = {quoted(rule.id)} AND seen_at >= {self._begin()}"
        parts = [f"{stands} AND NOT ({_on(changes.days)})"]
        if changes.days:
            self._found(rule, sql, changes.scope, "found_by_day")
            parts.append(f"SELECT * FROM found_by_day WHERE {_on(changes.days)}")
        hits = " UNION ALL ".join(parts)
        if changes.cards:
            self._found(rule, sql, _CHANGED, "found_by_card")
            hits = (
                f"SELECT * FROM ({hits}) ANTI JOIN {changes.cards} USING (card)"
                f" UNION ALL SELECT * FROM found_by_card SEMI JOIN {changes.cards} USING (card)"
            )
        self._run(f"INSERT INTO hits SELECT card, rule, seen_at, evidence FROM ({hits}){first_only(rule)}")
        return self._counted_run(rule)

    def _begin(self) -> str:
        """The first day that counts."""
        return f"TIMESTAMP {quoted(str(self._span.first))}"

    def _with_frozen(self, rule: Rule, found: RuleRun) -> RuleRun:
        """Take back what a rule with windows says of the days after a purge, whose look-back is no longer whole.

        Hits that were found there while it was whole stand.
        """
        purged = self._draft.manifest.kept.rollups_from
        if purged is None or rule.window is Window.LIFE or not found.ran:
            return found
        sure = f"TIMESTAMP {quoted(str(datetime.combine(purged, time()) + rule.look_back))}"
        of_rule = f"rule = {quoted(rule.id)} AND seen_at < {sure}"
        self._run(f"DELETE FROM hits WHERE {of_rule}")
        self._run(f"INSERT INTO hits SELECT * FROM stood WHERE {of_rule} AND seen_at >= {self._begin()}")
        return self._counted_run(rule, found.unsure)

    def _found(self, rule: Rule, sql: str, scope: str, into: str) -> None:
        """Run a rule in a scope; its hits become the table `into`."""
        with self._within(scope):
            self._run_rule(rule, f"CREATE OR REPLACE TABLE main.{into} AS {hits_of(rule, sql)}")

    def keep_judgement(self) -> None:
        """Put the hits, and what was judged, into the coming commit."""
        manifest = self._draft.manifest
        if old := manifest.paths(FileKind.HITS):
            self._draft.drop(*old)
        path = self._draft.new_path(FileKind.HITS)
        rows = "SELECT card, rule, seen_at, evidence FROM hits ORDER BY card, rule, seen_at"
        ((count,),) = self._run(f"COPY ({rows}) TO {quoted(str(path))} (FORMAT parquet, COMPRESSION zstd)")
        self._draft.take(path, int(count), FileKind.HITS)
        manifest.judged = {rule: judged.model_dump(mode="json") for rule, judged in self._judged.items()}

    def cards(self) -> int:
        """Number of cards in the register or, without a register, of cards that were ever used."""
        if "cards" in self._given.columns:
            return super().cards()
        return int(self._run("SELECT count(*) FROM card_life")[0][0])


def _on(days: Collection[date]) -> str:
    """Condition on `seen_at`: on one of `days`."""
    each = ", ".join(f"DATE {quoted(str(day))}" for day in sorted(days))
    return f"CAST(seen_at AS DATE) IN ({each})" if each else "FALSE"
