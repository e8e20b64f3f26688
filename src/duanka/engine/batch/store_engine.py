"""Engine of a scan into a store: judges by difference to the last judgement, embedded or on a cluster.

A daily or hourly rule is evaluated for the days that closed or changed since, and for the cards whose register row or
device changed; its other hits stand. Rules about the whole life of a card read rollups that are merged already.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, time
from pathlib import Path
from typing import Self

import pyarrow as pa

from duanka.domain.ports import Progress, RecordCoverage, RuleRun
from duanka.domain.rollups import ROLLUPS, Rollup
from duanka.domain.rule import Literal, Rule, Window
from duanka.domain.schema import RECORD_TABLES, TABLES, Table
from duanka.engine.batch.base import BatchEngine
from duanka.engine.batch.changes_since import ChangesSince, LastJudgement, fingerprint
from duanka.engine.batch.rollup_scopes import LIFE, RollupScope, not_among, rollup_files, rollup_select
from duanka.engine.shared.available_data import any_of
from duanka.engine.shared.coverage import seen
from duanka.engine.shared.duckdb_database import arrow_schema, quoted
from duanka.engine.shared.hit_table import first_only, hits_of
from duanka.engine.sql.compiled import COMPILED
from duanka.engine.sql.values import Value
from duanka.engine.store.life import counting_days, covered
from duanka.engine.store.manifest import FileKind, Manifest
from duanka.engine.store.next_generation import NextGeneration

COMPILED_SQL = "compiled.json"
_WHOLE, _CHANGED = "whole", "changed"


class StoreEngine(BatchEngine):
    """Engine over the commit in progress of a store. A subclass says where rules run and how rollups get there."""

    def open_store(self, draft: NextGeneration, before: Manifest) -> Self:
        """Judge the commit in progress `draft`; `before`: the manifest as last committed. Call it before `load`."""
        self._draft, self._before = draft, before
        COMPILED.read(draft.folder / COMPILED_SQL)
        # rule -> what it is judged again for; absent: all days, cards
        self._changes: dict[str, ChangesSince] = {}
        self._known: dict[str, bool] = {}  # table of cards that changed -> whether it has any
        self._judged: dict[str, LastJudgement] = {}
        self._lists: Mapping[str, Sequence[Mapping[str, object]]] = {}
        self._loaded: RecordCoverage | None = None
        return self

    @abstractmethod
    def _files(self, paths: Sequence[str], schema: pa.Schema) -> str:
        """SQL source, where the rules run, of files of the store; `schema`: columns that they have at least."""

    @abstractmethod
    def _scoped(self, scope: str, rollup: Rollup | Table, select: str, *, once: bool) -> None:
        """Let rules within `scope` ("": everywhere) read the rows of `select` as `rollup`, or as records.

        `once`: compute it now, of a rollup.
        """

    @abstractmethod
    def _within(self, scope: str) -> AbstractContextManager[None]:
        """Let rules and rollups read the rollups of a scope."""

    @abstractmethod
    def _table(self, name: str, select: str) -> None:
        """Make the rows of `select` a table, here and where the rules run."""

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
            files = rollup_files(self._files, manifest.paths(FileKind.LIFE, name), ROLLUPS[name])
            self._scoped("", ROLLUPS[name], f"SELECT * FROM {files}", once=False)
            self._rollups[name] = ROLLUPS[name]
        self._run("CREATE OR REPLACE TABLE stood AS SELECT * FROM hits LIMIT 0")
        if hits := manifest.paths(FileKind.HITS):
            self._run(
                f"INSERT INTO stood SELECT card, rule, seen_at, evidence FROM {self._draft.source(hits)}"
            )
        self._lend("stood")
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
            rule,
            LastJudgement.model_validate(known),
            now,
            self._draft.manifest,
            self._before,
            self._files,
            self._kept,
        )

    def _kept(self, name: str, select: str) -> bool:
        """Make the rows of `select` a table, unless it is there; return whether it has any."""
        if name not in self._known:
            self._table(name, select)
            self._known[name] = bool(self._run(f"SELECT 1 FROM {name} LIMIT 1"))
        return self._known[name]

    def _scope(self, name: str, rules: Sequence[tuple[Rule, Mapping[str, Literal]]]) -> RollupScope:
        counted = counting_days(self._draft.manifest.days)
        if name == _WHOLE:
            return RollupScope(name, rules, counted)
        changes = [self._changes[rule.id] for rule, _ in rules]
        if name == _CHANGED:
            tables = " UNION ".join(f"SELECT card FROM {one.cards}" for one in changes if one.cards)
            self._table("changed_cards", tables)
            return RollupScope(name, rules, counted, "changed_cards")
        read = {day for one in changes for day in one.read}
        return RollupScope(name, rules, counted & read)

    def _make(self, scope: RollupScope, *, narrowed: bool) -> None:
        """Make the rollups of a scope."""
        with self._within(scope.name):
            for rollup in scope.rollups:
                if rollup.name in LIFE:
                    continue
                narrow = self._narrow(rollup, scope) if narrowed else ""
                select, once = rollup_select(self._draft.manifest, self._files, rollup, scope, narrow)
                self._scoped(scope.name, rollup, select, once=once)
                self._rollups.setdefault(rollup.name, rollup)
            if scope.name not in (_WHOLE, _CHANGED):
                self._open_records(scope)

    def _open_records(self, scope: RollupScope) -> None:
        """Let the rules of a scope that read records read those of its days alone."""
        manifest = self._draft.manifest
        for name in {name for rule, _ in scope.rules for name in rule.reads if name in RECORD_TABLES}:
            table = TABLES[name]
            paths = [p for p in manifest.paths(FileKind.RECORDS, name) if manifest.files[p].day in scope.days]
            if paths:  # without files of these days, all are read, and none found
                files = self._files(paths, arrow_schema(table))
                self._scoped(scope.name, table, seen(table, files, self._span), once=False)

    def _narrow(self, rollup: Rollup, scope: RollupScope) -> str:
        """Condition for the groups of `rollup` that the rules of `scope` need."""
        readers = [(rule, limits) for rule, limits in scope.rules if rollup.name in rule.reads]
        whole, needed = list[tuple[Rule, Mapping[str, Literal]]](), list[str]()
        for rule, limits in readers:
            if part := self._not_found_yet(rule, scope):
                narrow = self._given.narrow(rollup, [(rule, limits)])
                needed.append(f"({narrow}) AND {part}" if narrow else "")
            else:
                whole.append((rule, limits))
        return any_of([self._given.narrow(rollup, whole), *needed] if whole else needed)

    def _not_found_yet(self, rule: Rule, scope: RollupScope) -> str:
        """Condition: the first hit of a card, which alone counts, is not found already; "": all cards."""
        if (
            not rule.first_only
            or scope.name in (_WHOLE, _CHANGED)
            or not (days := self._changes[rule.id].days)
        ):
            return ""
        found = f"SELECT card FROM stood WHERE rule = {quoted(rule.id)} AND seen_at < TIMESTAMP '{min(days)}'"
        return not_among(found)

    def run(self, rule: Rule, limits: Mapping[str, Literal]) -> RuleRun:
        """Judge one rule for what changed; its other hits stand."""
        changes = self._changes.get(rule.id)
        if changes is None:
            with self._within(_WHOLE):
                found = super().run(rule, limits)
            return self._with_frozen(rule, found)
        values = {**limits, **self._given.values}
        stands = f"SELECT * FROM stood WHERE rule = {quoted(rule.id)} AND seen_at >= {self._begin()}"
        self._run(f"CREATE OR REPLACE TABLE judged AS {stands} AND NOT ({_on(changes.days)})")
        if changes.days:
            self._judge(rule, values, changes.scope, _on(changes.days))
        if changes.cards:
            of_changed = f"card IN (SELECT card FROM {changes.cards})"
            self._run(f"DELETE FROM judged WHERE {of_changed}")
            self._judge(rule, values, _CHANGED, of_changed)
        self._run(f"INSERT INTO hits SELECT card, rule, seen_at, evidence FROM judged{first_only(rule)}")
        return self._counted_run(rule)

    def _judge(self, rule: Rule, values: Mapping[str, Value], scope: str, where: str) -> None:
        """Add the hits of a rule in a scope that fulfil `where` to the table `judged`."""
        with self._within(scope), self._result(rule, values, where) as source:
            self._run_rule(rule, f"INSERT INTO judged {hits_of(rule, source)}")

    def _begin(self) -> str:
        """The first day that counts."""
        return f"TIMESTAMP {quoted(str(self._span.first))}"

    def _with_frozen(self, rule: Rule, found: RuleRun) -> RuleRun:
        """Take back what a rule with windows says of the days after a purge, whose look-back is no longer whole.

        Hits that were found there while it was whole stand.
        """
        kept = self._draft.manifest.kept
        records = kept.records_from if any(name in RECORD_TABLES for name in rule.reads) else None
        purged = max((begin for begin in (kept.rollups_from, records) if begin), default=None)
        if purged is None or rule.window is Window.LIFE or not found.ran:
            return found
        sure = f"TIMESTAMP {quoted(str(datetime.combine(purged, time()) + rule.look_back))}"
        of_rule = f"rule = {quoted(rule.id)} AND seen_at < {sure}"
        self._run(f"DELETE FROM hits WHERE {of_rule}")
        self._run(f"INSERT INTO hits SELECT * FROM stood WHERE {of_rule} AND seen_at >= {self._begin()}")
        return self._counted_run(rule, found.unsure)

    def keep_judgement(self) -> None:
        """Put the hits, and what was judged, into the coming commit."""
        manifest = self._draft.manifest
        if old := manifest.paths(FileKind.HITS):
            self._draft.drop(*old)
        path = self._draft.new_path(FileKind.HITS)
        rows = "SELECT card, rule, seen_at, evidence FROM hits ORDER BY card, rule, seen_at, evidence"
        ((count,),) = self._run(f"COPY ({rows}) TO {quoted(str(path))} (FORMAT parquet, COMPRESSION zstd)")
        self._draft.take(path, int(count), FileKind.HITS)
        manifest.judged = {rule: judged.model_dump(mode="json") for rule, judged in self._judged.items()}
        COMPILED.write(self._draft.folder / COMPILED_SQL)

    def cards(self) -> int:
        """Number of cards in the register or, without a register, of cards that were ever used."""
        if "cards" in self._given.columns:
            return super().cards()
        return int(self._rows("SELECT count(*) FROM card_life")[0][0])


def _on(days: Collection[date]) -> str:
    """Condition on `seen_at`: on one of `days`."""
    each = ", ".join(f"DATE {quoted(str(day))}" for day in sorted(days))
    return f"CAST(seen_at AS DATE) IN ({each})" if each else "FALSE"
