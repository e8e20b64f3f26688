"""The live engine: micro-batches in, hits that come and go out, all of it in one DuckDB file.

Whatever one batch changes, the offsets of intake, the rollups and the hits, is one transaction: after a kill at any
moment the file holds whole batches, and intake goes on behind the last of them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow as pa

from duanka.domain.errors import DuankaError, LostRecords
from duanka.domain.live import Batch, Change, HitChange, Lateness, Refused, Taken
from duanka.domain.policy import LISTS
from duanka.domain.ports import CardHits
from duanka.domain.rule import Hit, Literal, Rule
from duanka.domain.tables import TABLES, Kind, Table
from duanka.engine.embedded import TYPES, arrow_schema
from duanka.engine.live.judge import Judge
from duanka.engine.live.marks import Marks, end_of_records
from duanka.engine.live.prepared import Prepared, prepare
from duanka.engine.live.progress import Progress, ShelfProgress
from duanka.engine.live.shelf import Shelf
from duanka.engine.live.sorting import Sorting
from duanka.engine.live.triggers import Triggers
from duanka.engine.rollup_sql import rollup_sql, rollups_for
from duanka.engine.span import Rows

STATE = "live.duckdb"
_REGISTERS = tuple(name for name, table in TABLES.items() if not table.record)
_KEYED = {"cards": "card", "outlets": "outlet"}
_KEEP = timedelta(days=100)  # the longest look-back of a rule, and some days
_WAL = "256MB"  # the log that a restart reads again; a smaller one is emptied more often, and each time costs


class Live:
    """One state folder's engine. `memory` is DuckDB's own limit; `rules` are all rules that the state serves."""

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
        keep: timedelta = _KEEP,
        history: bool = True,
        seal_rows: int | None = None,
    ) -> None:
        self._db = _opened(folder)
        self._run(f"SET memory_limit = '{memory}'")
        self._run(f"SET temp_directory = '{_quoted(str(folder / 'spill'))}'")
        self._run("SET preserve_insertion_order = false")
        self._run(f"SET checkpoint_threshold = '{_WAL}'")
        if threads:
            self._run(f"SET threads = {threads}")
        self._rules = [prepare(rule, limits[rule.id]) for rule in rules if rule.id in limits]
        self._rollups = rollups_for(rules)
        self._lateness = lateness or Lateness()
        self._keep = keep
        self._seal_rows = seal_rows
        self._lists = {name for name in LISTS if lists.get(name)}
        for name, table in LISTS.items():
            self._list(name, table, lists.get(name, ()))
        with self._transaction():
            self._progress = self._restored(history)
            self._attach()
            self._reconcile()
            self._save()

    def __enter__(self) -> Live:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the state; what is in it stays."""
        self._db.close()

    def positions(self) -> dict[str, int]:
        """How far every origin is read."""
        return dict(self._run("SELECT origin, done FROM state.positions"))

    def expect(self, sources: Mapping[str, str], now: datetime) -> None:
        """Wait for these sources (name -> table) although nothing came from them yet."""
        with self._transaction():
            self._marks.expect(sources, now)
            self._save()

    @property
    def in_history(self) -> bool:
        """Whether what comes was there at the start: nothing of it is late, nothing is judged yet."""
        return self._progress.history

    def end_history(self) -> None:
        """From here on time counts: windows close, and what comes too late is set aside."""
        if self._progress.history:
            with self._transaction():
                self._progress.history = False
                self._save()

    def take(self, batch: Batch, now: datetime, *, judge: bool = True) -> Taken:
        """Take one micro-batch in, and judge what it touched, in one transaction. `now` local, by the clock."""
        begin = time.perf_counter()
        with self._transaction():
            done = self._sorting.sort(batch, self._progress, self._marks, self._rules, now)
            self._nothing_lost(batch, done.used, sum(done.refused.values()))
            self._grow(done.spans)
            self._keep_positions(batch.positions)
            changes: Counter[tuple[str, Change]] = Counter()
            if judge and not self._progress.history:
                changes = self._triggers.pull(self._progress, self._marks, self._able(), now)
                self._tidy()
            self._save()
        return Taken(
            records=batch.records,
            used=done.used,
            aside=len(batch.aside),
            late=done.refused[Refused.LATE],
            repeated=done.refused[Refused.REPEATED],
            ahead=done.refused[Refused.AHEAD],
            seconds=time.perf_counter() - begin,
            judged=judge and not self._progress.history,
            changes=dict(changes),
            sources=tuple(self._marks.sources(now)),
        )

    def finish(self, now: datetime) -> Taken:
        """Judge as if nothing more came: as a scan over the same records does."""
        begin = time.perf_counter()
        changes: Counter[tuple[str, Change]] = Counter()
        with self._transaction():
            self._progress.history = False
            records = {t: last for t, last in self._progress.lasts.items() if TABLES[t].record}
            if records:
                end = end_of_records(records)
                changes = self._triggers.pull(self._progress, self._marks, self._able(), now, end)
                self._tidy()
            self._save()
        return Taken(
            seconds=time.perf_counter() - begin,
            judged=True,
            changes=dict(changes),
            sources=tuple(self._marks.sources(now)),
        )

    def changes(self, after: int) -> Iterator[HitChange]:
        """The changes of hits behind number `after`, in order."""
        rows = self._run(
            f"SELECT seq, kind, card, rule, seen_at, evidence FROM state.changes WHERE seq > {after} ORDER BY seq"
        )
        for seq, kind, card, rule, seen_at, evidence in rows:
            yield HitChange(seq, Change(kind), Hit(card, rule, seen_at, json.loads(evidence)))

    def told(self, seq: int) -> None:
        """Changes up to `seq` are written elsewhere for good."""
        with self._transaction():
            self._run(f"DELETE FROM state.changes WHERE seq <= {seq}")

    def write_hits(self, path: Path) -> None:
        """Write hits.parquet as a scan does: card, rule, seen_at, evidence (JSON), sorted."""
        unfinished = path.with_suffix(".unfinished")
        self._run(
            "COPY (SELECT card, rule, seen_at, evidence FROM state.hits ORDER BY card, rule, seen_at, evidence)"
            f" TO '{_quoted(str(unfinished))}' (FORMAT parquet, COMPRESSION zstd)"
        )
        unfinished.replace(path)

    def write_quarantine(self, path: Path) -> None:
        """Write quarantine.parquet: what was set aside, from the start of the state."""
        unfinished = path.with_suffix(".unfinished")
        self._run(
            "COPY (SELECT * FROM state.quarantine) TO"
            f" '{_quoted(str(unfinished))}' (FORMAT parquet, COMPRESSION zstd)"
        )
        unfinished.replace(path)

    def cards_with_hits(self, after: int | None = None) -> Iterator[CardHits]:
        """Each card with a hit or a police case; with `after`, those whose hits changed behind that number."""
        which = (
            f"card IN (SELECT card FROM state.changes WHERE seq > {after})" if after is not None else "TRUE"
        )
        rows = self._run(
            f"""
            SELECT card, rule, min(seen_at), arg_min(evidence, (seen_at, evidence)), count(*), NULL AS case_id
            FROM state.hits WHERE {which} GROUP BY card, rule
            UNION ALL
            SELECT DISTINCT card, NULL, NULL, NULL, NULL, case_id FROM state.cases WHERE {which}
            UNION ALL
            SELECT DISTINCT card, NULL, NULL, NULL, NULL, NULL FROM state.changes WHERE {which if after is not None else "FALSE"}
            ORDER BY 1, 2 NULLS LAST, 6"""
        )
        by_card: dict[str, list[tuple[object, ...]]] = {}
        for row in rows:
            by_card.setdefault(row[0], []).append(row)
        for card, of_card in by_card.items():
            hits = tuple(
                Hit(card, r[1], r[2], json.loads(str(r[3])), r[4])  # type: ignore[arg-type]
                for r in of_card
                if r[1] is not None
            )
            yield CardHits(card, hits, tuple(str(r[5]) for r in of_card if r[5] is not None))

    @property
    def seq(self) -> int:
        """The number of the last change."""
        return self._progress.seq

    def _restored(self, history: bool) -> Progress:
        self._run("CREATE SCHEMA IF NOT EXISTS state")
        self._run("CREATE TABLE IF NOT EXISTS state.progress (value VARCHAR)")
        found = self._run("SELECT value FROM state.progress")
        if found:
            return Progress.model_validate_json(found[0][0])
        for name, table in TABLES.items():
            shape = ", ".join(f"{c.name} {TYPES.get(c.kind, 'VARCHAR')}" for c in table.columns)
            self._run(f"CREATE TABLE state.shape_{name} ({shape})")
            if name in _REGISTERS:
                self._run(f"CREATE TABLE state.{name} ({shape})")
        for name, columns in _TABLES.items():
            self._run(f"CREATE TABLE state.{name} ({columns})")
        self._run("INSERT INTO state.progress VALUES ('')")
        return Progress(history=history)

    def _attach(self) -> None:
        """Build what works on the progress."""
        progress = self._progress
        self._shelves: dict[str, Shelf] = {}
        for rollup in self._rollups:
            known = rollup.name in progress.shelves
            of_shelf = progress.shelves.setdefault(rollup.name, ShelfProgress())
            sized = {} if self._seal_rows is None else {"seal_rows": self._seal_rows}
            self._shelves[rollup.name] = Shelf(rollup, of_shelf, self._run, **sized)
            if not known:
                self._shelves[rollup.name].create()
        self._marks = Marks(progress, self._lateness)
        self._sorting = Sorting(self._db, self._run, self._lateness)
        self._judge = Judge(self._db, self._run, self._shelves)
        self._triggers = Triggers(self._run, self._judge, self._shelves, self._rules)

    def _reconcile(self) -> None:
        """Hold the state against the rules of today: changed ones are judged anew, those gone lose their hits."""
        shape = _fingerprint(*(f"{r.name} {r.columns}" for r in self._rollups))
        if self._progress.shape and self._progress.shape != shape:
            raise DuankaError(
                "the state was made by another version of the rules' rollups; begin a new one with --state FOLDER"
                " (what lies in the inbox is read again)"
            )
        self._progress.shape = shape
        today = {p.id: _fingerprint(p.sql, p.due) for p in self._rules}
        for rule, known in list(self._progress.rules.items()):
            if today.get(rule) == known:
                continue
            self._progress.able.discard(rule)
            self._progress.closed.pop(rule, None)
            self._run(f"DELETE FROM state.due WHERE rule = '{rule}'")
            if rule not in today:
                self._revoke(rule)
        self._progress.rules = today

    def _revoke(self, rule: str) -> None:
        self._run(
            f"INSERT INTO state.changes SELECT {self._progress.seq} + row_number() OVER (ORDER BY card, seen_at),"
            f" '{Change.REVOKED.value}', card, rule, seen_at, evidence FROM state.hits WHERE rule = '{rule}'"
        )
        self._progress.seq += int(self._run(f"SELECT count(*) FROM state.hits WHERE rule = '{rule}'")[0][0])
        self._run(f"DELETE FROM state.hits WHERE rule = '{rule}'")

    def _grow(self, spans: Mapping[str, tuple[datetime, datetime]]) -> None:
        """Append what the batch adds to the rollups and registers."""
        for register in _REGISTERS:
            if self._there(register):
                self._upsert(register)
        if not spans:
            return
        first, last = min(s[0] for s in spans.values()), max(s[1] for s in spans.values())
        built: set[str] = set()
        for rollup in self._rollups:
            shelf = self._shelves[rollup.name]
            sources = {*spans, *built}
            if not any(part.source in sources for part in rollup.parts):
                continue
            if rollup.name == "card_days":
                self._run("DROP TABLE IF EXISTS temp.card_days")
                self._run(f"CREATE TEMP TABLE card_days AS {rollup_sql(rollup, sources)}")
                shelf.add(f"SELECT {', '.join(rollup.columns)} FROM card_days")
                built.add(rollup.name)
            else:
                shelf.add(f"SELECT {', '.join(rollup.columns)} FROM ({rollup_sql(rollup, sources)})")
            shelf.stretch(first, last)

    def _upsert(self, register: str) -> None:
        """Take register rows over what stands; only rows that say something new count as touched."""
        columns = ", ".join(c.name for c in TABLES[register].columns)
        self._run(
            "CREATE OR REPLACE TEMP TABLE news AS"
            f" SELECT {columns} FROM {register} EXCEPT SELECT {columns} FROM state.{register}"
        )
        key = _KEYED.get(register)
        if key:
            self._run(f"DELETE FROM state.{register} WHERE {key} IN (SELECT {key} FROM news)")
            once = f" QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY rowid DESC) = 1"
        else:
            once = ""
        self._run(f"INSERT INTO state.{register} SELECT {columns} FROM news{once}")
        if register == "outlets" or self._progress.history:
            return
        self._run(f"INSERT INTO state.touched SELECT DISTINCT '{register}', card FROM news")
        self._ahead(register)

    def _ahead(self, register: str) -> None:
        """Register rows that speak of a time to come are touched again when it has come."""
        latest = self._marks.latest()
        times = [c.name for c in TABLES[register].columns if c.kind is Kind.TIME]
        if latest is None or not times:
            return
        for column in times:
            self._run(
                f"INSERT INTO state.ahead SELECT '{register}', card, {column} FROM news"
                f" WHERE {column} > TIMESTAMP '{latest}'"
            )

    def _there(self, table: str) -> bool:
        return bool(self._run(f"SELECT 1 FROM duckdb_tables() WHERE temporary AND table_name = '{table}'"))

    def _keep_positions(self, positions: Mapping[str, int]) -> None:
        if positions:
            self._db.register(
                "given", pa.table({"origin": list(positions), "done": list(positions.values())})
            )
            self._run("DELETE FROM state.positions WHERE origin IN (SELECT origin FROM given)")
            self._run("INSERT INTO state.positions SELECT origin, done FROM given")
            self._db.unregister("given")

    def _able(self) -> list[Prepared]:
        """The rules whose needs the records meet by now."""

        def there(need: str) -> bool:
            table, _, column = need.partition(".")
            if table in LISTS:
                return table in self._lists
            filled = self._progress.filled.get(table, set())
            return column in filled if column else bool(filled)

        return [p for p in self._rules if all(there(need) for need in p.rule.needs)]

    def _tidy(self) -> None:
        """One slice of a merge, new generations, and what no rule looks back to any more dropped."""
        closed = max(self._progress.closed.values(), default=None)
        border = datetime.combine(closed, datetime.min.time()) if closed else None
        for shelf in self._shelves.values():
            shelf.seal(border)
        for shelf in self._shelves.values():
            if shelf.merge_some():
                break
        if closed and self._progress.tidied != closed:
            self._progress.tidied = closed
            self._sorting.forget(self._progress.marks)
            for shelf in self._shelves.values():
                shelf.forget(datetime.combine(closed, datetime.min.time()) - self._keep)

    def _nothing_lost(self, batch: Batch, used: int, refused: int) -> None:
        if batch.records != used + refused + len(batch.aside):
            raise LostRecords(
                f"{batch.records} records came in, {used} are used, {refused} refused and {len(batch.aside)}"
                " set aside: the rest is lost, which is a defect; please report it"
            )

    def _list(self, name: str, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
        schema = arrow_schema(table)
        known = [{field: row.get(field) for field in schema.names} for row in rows]
        self._db.register("given", pa.Table.from_pylist(known, schema=schema))
        self._run(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM given")
        self._db.unregister("given")

    def _save(self) -> None:
        self._db.execute("UPDATE state.progress SET value = ?", [self._progress.model_dump_json()]).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing; after a failure the progress is again what the file says."""
        self._run("BEGIN")
        try:
            yield
            self._run("COMMIT")
        except BaseException as error:
            self._rolled_back()
            if isinstance(error, duckdb.IOException | duckdb.FatalException | duckdb.OutOfMemoryException):
                raise DuankaError(
                    f"the live state cannot be written: {str(error).splitlines()[0]}"
                ) from error
            raise

    def _rolled_back(self) -> None:
        try:
            self._db.execute("ROLLBACK")
            found = self._db.execute("SELECT value FROM state.progress").fetchall()
        except duckdb.Error:  # the file is out of reach: whoever opens it again finds the last whole batch
            return
        if found and found[0][0]:
            self._progress = Progress.model_validate_json(found[0][0])
            self._attach()

    def _run(self, sql: str) -> Rows:
        return self._db.execute(sql).fetchall()


_TABLES = {
    "positions": "origin VARCHAR, done BIGINT",
    "recent": "tbl VARCHAR, event TIMESTAMP, same UBIGINT",
    "quarantine": '"file" VARCHAR, line BIGINT, "column" VARCHAR, reason VARCHAR, raw VARCHAR',
    "touched": "tbl VARCHAR, card VARCHAR",
    "ahead": "tbl VARCHAR, card VARCHAR, due_at TIMESTAMP",
    "again": "rule VARCHAR, card VARCHAR",
    "due": "rule VARCHAR, card VARCHAR, due_at TIMESTAMP",
    "hits": "card VARCHAR, rule VARCHAR, seen_at TIMESTAMP, evidence VARCHAR",
    "changes": "seq BIGINT, kind VARCHAR, card VARCHAR, rule VARCHAR, seen_at TIMESTAMP, evidence VARCHAR",
}


def _opened(folder: Path) -> duckdb.DuckDBPyConnection:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return duckdb.connect(str(folder / STATE))
    except OSError as error:
        raise DuankaError(
            f"cannot write to {folder} ({error.strerror}); choose another with --state"
        ) from error
    except duckdb.IOException as error:
        text = str(error)
        if "lock" in text.lower():
            raise DuankaError(f"{folder} is in use by another duanka live; stop that one first") from error
        raise DuankaError(f"cannot open the live state in {folder}: {text.splitlines()[0]}") from error


def _fingerprint(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _quoted(text: str) -> str:
    return text.replace("'", "''")
