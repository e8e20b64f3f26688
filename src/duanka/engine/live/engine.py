"""Live engine: micro-batches in, changes of hits out, state in one DuckDB file.

All changes of one batch (intake offsets, rollups, hits) are one transaction: after a kill at any moment the file
holds whole batches, and intake continues after the last of them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from duanka.domain.delivery import FileIdentity
from duanka.domain.findings import LiveAccount
from duanka.domain.local_time import DEFAULT_ZONE
from duanka.domain.passed_cards import Passes
from duanka.domain.policy import LISTS
from duanka.domain.rule import Literal, Rule
from duanka.domain.store_policy import StorePolicy
from duanka.domain.streaming import Batch, BatchResult, Change, Lateness, LiveReason
from duanka.domain.take import Coverage
from duanka.engine.live import registers
from duanka.engine.live.account import Accounts
from duanka.engine.live.announcements import Changes, announce_again, announce_cases, number_after
from duanka.engine.live.assembly import assembled
from duanka.engine.live.batch_filter import nothing_lost
from duanka.engine.live.queries import StateQueries
from duanka.engine.live.retention import DEFAULT_RETENTION, long_enough
from duanka.engine.live.rule_changes import reconcile
from duanka.engine.live.state.checkpoint import Checkpoint
from duanka.engine.live.state.compiled_rule import CompiledRule, prepare
from duanka.engine.live.state.state_file import LiveState
from duanka.engine.live.state.store_files import StoreFiles
from duanka.engine.live.state.takeover import take_over
from duanka.engine.live.triggers import EndOfRecords
from duanka.engine.shared.available_data import AvailableData
from duanka.engine.shared.coverage import end_of_records
from duanka.engine.shared.duckdb_database import arrow_rows, lent
from duanka.engine.sql.rollup_sql import rollups_for
from duanka.engine.store.record_store import LIVE, RecordStore

_FILES_MEMORY = "300MB"  # of the database that writes the store's files
CARDS_A_BATCH = 250_000  # evaluated with a batch, so that records do not wait for the evaluation of all
PACK_ROWS = 500_000  # recent records that go to the store before they are settled
_FEW_ROWS = 100_000  # recent records that wait in tables of the state for more
_PACK_AFTER = timedelta(seconds=30)  # that there are recent records: so long a lookup may miss them


class Live:
    """Live engine over one store: records go there, and its folder `live/` holds what is not in files yet.

    `rules`: all rules whose rollups the state holds; those with `limits` run. `shadows`: rules whose hits no other
    rule reads. `memory`: DuckDB's memory limit. `keep`: retention of rollups; older hits stay unchanged. `retention`:
    of records. `zone`: of all times. `history`: a new state first reads the backlog. `passes`: cards whose holders
    passed the second verification, read again at each commit. `origin_of`: name under which intake knows a file that a
    scan took into the store.
    """

    def __init__(
        self,
        folder: Path,
        rules: Sequence[Rule],
        limits: Mapping[str, Mapping[str, Literal]],
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        *,
        lateness: Lateness | None = None,
        memory: str = "700MB",
        threads: int | None = None,
        keep: timedelta = DEFAULT_RETENTION,
        history: bool = True,
        pack_rows: int = PACK_ROWS,
        retention: StorePolicy | None = None,
        zone: str = DEFAULT_ZONE,
        origin_of: Callable[[FileIdentity], str] | None = None,
        shadows: frozenset[str] = frozenset(),
        passes: Passes | None = None,
    ) -> None:
        self._passes = passes
        self._passes_version: object = None
        self._rules = [prepare(rule, limits[rule.id]) for rule in rules if rule.id in limits]
        self._rollups = rollups_for(rules)
        self._lateness = lateness or Lateness()
        self._keep = long_enough(keep, self._rules)
        self._pack_rows = pack_rows
        self._retention = replace(retention or StorePolicy(), keep_rollups_days=self._keep.days)
        self._now: datetime | None = None
        self._packed_at: datetime | None = None
        self._shadows = shadows
        self._lists = frozenset(name for name in LISTS if lists.get(name))
        self._told_again: Changes = Counter()  # changes not made by rules and not yet counted
        self._begun = False
        self._cases_came = True
        self._state = LiveState(folder / LIVE, memory=memory, threads=threads, again=self._begin_anew)
        self._run = self._state.run
        self.answers = StateQueries(self._run)
        try:
            self._open(
                RecordStore(folder, zone=zone, memory=_FILES_MEMORY, threads=threads),
                lists,
                history=history,
                origin_of=origin_of,
            )
        except BaseException:
            self.close()  # release the file lock, or a second attempt would find the state in use
            raise

    def _open(
        self,
        store: RecordStore,
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        *,
        history: bool,
        origin_of: Callable[[FileIdentity], str] | None,
    ) -> None:
        for name, table in LISTS.items():
            with lent(self._state.db, "given", arrow_rows(table, lists.get(name, ()))):
                self._run(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM given")
        with self._state.working():
            new = self._state.restore(history=history)
            self._files = StoreFiles(self._state, store)
            if new:
                take_over(self._state, self._files, origin_of)
            self._attach()
            reconcile(self._state, self._rules, self._rollups, lists, self._shadows)
            self._commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store and the state file; their content stays."""
        if hasattr(self, "_files"):
            self._files.close()
        self._state.db.close()

    def positions(self) -> dict[str, int]:
        """Origin -> position up to which it is read."""
        return dict(self._run("SELECT origin, done FROM state.positions"))

    def expect(self, sources: Mapping[str, str], now: datetime) -> None:
        """Let watermarks wait for `sources` (name -> table) that have no record yet."""
        with self._state.working():
            self._marks.expect(sources, now)
            self._commit()

    @property
    def in_history(self) -> bool:
        """Whether the backlog is being read: no record is late and no rule runs yet."""
        return self._progress.history

    def reaches(self, now: datetime) -> bool:
        """Whether the records reach `now` less the allowed lateness."""
        latest = self._marks.latest()
        return latest is not None and latest >= now - self._lateness.default

    @property
    def evaluating(self) -> bool:
        """Whether an evaluation takes turns with batches, and has not ended."""
        return self._triggers.running

    def end_history(self) -> None:
        """End the backlog: from now on windows close and late records are rejected."""
        if self._progress.history:
            with self._state.working():
                self._progress.history = False
                self._commit()

    def take(self, batch: Batch, now: datetime, *, settle: bool = True, judge: bool = True) -> BatchResult:
        """Ingest one micro-batch; with `settle`, run the rules (if `judge`) and commit.

        `now`: local wall-clock time. Uncommitted batches are lost with the process and delivered again by intake.
        """
        begin = time.perf_counter()
        self._now = now
        with self._state.working():
            if not self._begun:
                self._marks.begin(now)
                self._begun = True
            done = self._sorting.sort(batch, now)
            nothing_lost(batch, done)
            for register in self._sorting.registers:
                self._upsert(register)
            self._sorting.clear()
            self._state.keep_positions(batch.positions)
            if self._recent.rows >= self._pack_rows:
                self._pack(now)
            most = CARDS_A_BATCH if batch.records else None
            if self._triggers.running and not settle:
                self._told_again += self._triggers.pull(self._able(), now, most=most)
        judged = settle and judge and not self._progress.history
        changes = self._settled(now, judge=judged, most=most) if settle else {}
        return BatchResult(
            records=batch.records,
            used=done.used,
            aside=batch.rejected,
            late=done.refused[LiveReason.LATE],
            repeated=done.refused[LiveReason.REPEATED],
            ahead=done.refused[LiveReason.AHEAD],
            seconds=time.perf_counter() - begin,
            judged=judged,
            changes=changes,
            sources=tuple(self._marks.sources(now)),
        )

    def _settled(
        self, now: datetime, *, judge: bool, finish: bool = False, most: int | None = None
    ) -> dict[tuple[str, Change], int]:
        """Run the rules if `judge`, for about `most` cards, and commit; with `finish`, as if the records had ended."""
        with self._state.working():
            changes = self._told_again
            self._told_again = Counter()
            if self._cases_came:  # police cases wait for no rule
                changes += announce_cases(self._state, now)
                self._cases_came = False
            self._take_passes()
            end = None
            if finish:
                self._progress.history = False
                self._progress.tidied = None  # run retention again: `rest` may have merged since
                if records := self._marks.lasts():
                    end = EndOfRecords(*end_of_records(records))
            if self._recent.rows >= min(_FEW_ROWS, self._pack_rows):
                self._pack(now)
            self._recent.roll_up()
            if judge or self._triggers.running:
                changes += self._triggers.pull(self._able(), now, end, most=None if finish else most)
            since = now - (self._packed_at or now)
            if finish or not timedelta() <= since < _PACK_AFTER:  # or the clock was set back
                self._pack(now)
                self._files.take_refusals(now)
            self._packed_at = self._packed_at or now
            if finish:
                self._files.write_registers(now, pause=0)
            self._tidy(now)
            self._commit()
        return dict(changes)

    def _pack(self, now: datetime) -> None:
        """Move the recent records to the store."""
        if self._recent.rows:
            # before the first evaluation nothing waits: it covers all cards
            waits = self._recent.held or any(shelf.waits for shelf in self._shelves.values())
            judged = self._progress.since is None or not waits
            self._files.append(self._recent.taken(), now, judged=judged)
        self._packed_at = now

    def _commit(self) -> None:
        """Commit everything since the last commit, in the state file and then in the store."""
        self._files.complete()
        self._state.commit()
        if self._files.publish():
            self._run("CHECKPOINT")  # the room of recent records, which are in the store now, is free again

    def _take_passes(self) -> None:
        if self._passes is None:
            return
        version = self._passes.version()  # read first: a concurrent change is then seen by the next call
        if version != self._passes_version:
            registers.take_passes(self._state, self._passes)
            self._passes_version = version

    def finish(self, now: datetime) -> BatchResult:
        """Evaluate as if the records had ended, as a scan over the same records does."""
        begin = time.perf_counter()
        changes = self._settled(now, judge=True, finish=True)
        return BatchResult(
            seconds=time.perf_counter() - begin,
            judged=True,
            changes=changes,
            sources=tuple(self._marks.sources(now)),
        )

    def decided_by(self) -> str:
        """Fingerprint of the policy of the last published decisions; empty if unknown."""
        return self._progress.policy

    def decide_again(self, policy: str, cards: Collection[str]) -> None:
        """Switch to another policy; republish the decisions for `cards`, which it changes."""
        with self._state.working():
            self._told_again += announce_again(self._state, cards)
            self._progress.policy = policy
            self._commit()

    def coverage(self) -> Coverage | None:
        """The days that the records cover; None before the first record, and in a backlog.

        During a backlog, the days read so far depend on the order of its files.
        """
        return None if self._progress.history else self._marks.coverage()

    def told(self, seq: int) -> None:
        """Delete the changes up to `seq`, which are now stored durably elsewhere."""
        with self._state.working():
            self._run(f"DELETE FROM state.changes WHERE seq <= {seq}")
            self._commit()

    def number_after(self, seq: int) -> None:
        """Number changes on from `seq`, which the decision log has from another state; else it passed them over."""
        with self._state.working():
            number_after(self._state, seq)
            self._commit()

    @property
    def _progress(self) -> Checkpoint:
        return self._state.progress

    @property
    def seq(self) -> int:
        """Sequence number of the last change."""
        return self._progress.seq

    def _begin_anew(self) -> None:
        """Go on from the last commit, after a rollback."""
        if hasattr(self, "_files"):
            self._files.roll_back()
            self._attach()

    def _attach(self) -> None:
        """Create the components that work on the current progress."""
        self._cases_came = True  # after a start or a rollback, check for cases not logged yet
        self._passes_version = None  # a rollback takes the passes back too
        self._shelves, self._recent, self._marks, self._sorting, self._judge, self._triggers = assembled(
            self._state, self._files, self._rules, self._rollups, self._lateness, self._shadows
        )

    def _upsert(self, register: str) -> None:
        """Upsert register rows; only rows that differ mark their card as touched."""
        judged = register != "outlets" and self._progress.since is not None
        if moved := registers.upsert(self._state, register, touch=judged):
            # A decision names operator and city: when the register changes either, publish it again.
            self._told_again += announce_again(self._state, moved)
        self._cases_came |= register == "cases"
        if judged:  # the first evaluation covers all cards anyway
            self._triggers.look_ahead(register, "news", self._marks.latest())
        self._run("DROP TABLE temp.news")  # of a whole register, it would fill memory, and then the disk

    def put_away(self, now: datetime) -> None:
        """At an orderly end: move what is committed into the store, so that it can be looked up."""
        with self._state.working():
            self._pack(now)
            self._files.write_registers(now, pause=0)
            self._commit()

    def lacks(self) -> dict[str, tuple[str, ...]]:
        """Rules that cannot run yet -> the missing inputs, as "table.column"."""
        given = self._given()
        return {p.id: needs for p in self._rules if (needs := given.lacks(p.rule))}

    def account(self, out: Path, now: datetime) -> LiveAccount | None:
        """Figures of the report, some from the files in `out`; None before the first record."""
        accounts = Accounts(self._state, self._marks, self._shelves, self._judge.everybody())
        return accounts.account(self._rules, self._given(), out, now)

    def _able(self) -> list[CompiledRule]:
        """The rules whose required columns have been seen."""
        given = self._given()
        return [p for p in self._rules if not given.lacks(p.rule)]

    def _given(self) -> AvailableData:
        """The columns and lists that hold data so far."""
        filled = self._progress.filled.items()
        return AvailableData({table: frozenset(columns) for table, columns in filled if columns}, self._lists)

    def rest(self, seconds: float) -> bool:
        """Write registers and merge files for about `seconds` while idle; False when nothing is left."""
        until = time.perf_counter() + seconds
        if self._now is None:
            return False
        with self._state.working():
            self._files.write_registers(self._now)
            self._commit()
        while time.perf_counter() < until:
            with self._state.working():
                merged = self._files.merge_some(self._now)
                self._commit()
            if not merged:
                return False
        return True

    def _tidy(self, now: datetime) -> None:
        """Merge files that are due and drop data older than the retention."""
        self._files.merge_some(now, backlog=True)  # `rest` had no time to merge
        closed = max(self._progress.closed.values(), default=None)
        if closed is None or self._progress.tidied == closed:
            return
        self._progress.tidied = closed
        self._progress.forgotten |= self._marks.over()
        self._sorting.forget(self._progress.forgotten)
        horizon = datetime.combine(closed, datetime.min.time()) - self._keep
        if min(self._progress.firsts.values(), default=horizon) < horizon:
            self._progress.horizon = horizon
        self._files.purge(closed, self._retention, now)
