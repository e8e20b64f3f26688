"""Runs rules over the cards that something happened to, and writes down how their hits changed.

The rule's own SQL reads the tables it always reads; they hold only the affected cards here, and those that belong
together with them. What it gives for the affected cards replaces the hits that they had; the difference is logged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from duanka.domain.errors import RuleError
from duanka.domain.live import Change
from duanka.domain.rollups import ROLLUPS
from duanka.domain.tables import TABLES
from duanka.engine.live.prepared import Prepared, lean_for, reaches_back, selected
from duanka.engine.live.progress import Progress
from duanka.engine.live.shelf import Run, Shelf

AT_ONCE = 200_000  # cards judged together; more are taken in slices


@dataclass(frozen=True)
class Moments:
    """The moments that rules may ask for; local times."""

    as_of: datetime
    records_from: datetime
    records_until: datetime


class Judge:
    """Judges groups of rules over the temporary table `affected` (card)."""

    def __init__(self, db: duckdb.DuckDBPyConnection, run: Run, shelves: Mapping[str, Shelf]) -> None:
        self._db = db
        self._run = run
        self._shelves = shelves
        self._at_once = AT_ONCE

    def judge(
        self,
        rules: Sequence[Prepared],
        affected: str,
        moments: Mapping[str, Moments],
        progress: Progress,
        *,
        seen: datetime,
        since: datetime | None = None,
        narrowed: bool = False,
    ) -> Counter[tuple[str, Change]]:
        """Judge `rules` (which read alike) for the cards that the statement `affected` gives.

        `seen`: registers show what is known then; `since`: only windows from here on are judged.
        """
        changes: Counter[tuple[str, Change]] = Counter()
        self._run(f"CREATE OR REPLACE TEMP TABLE all_affected AS SELECT DISTINCT card FROM ({affected})")
        cards = int(self._run("SELECT count(*) FROM all_affected")[0][0])
        slices = -(-cards // self._at_once)
        for k in range(slices):
            where = f" WHERE hash(card) % {slices} = {k}" if slices > 1 else ""
            self._run(f"CREATE OR REPLACE TEMP TABLE affected AS SELECT card FROM all_affected{where}")
            self._restrict(rules, moments, seen, since, narrowed=narrowed)
            for rule in rules:
                self._find(rule, moments[rule.id], since)
                changes += self._settle(rule, progress, since)
                if rule.due:
                    self._plan(rule, moments[rule.id])
        return changes

    def everybody(self) -> str:
        """All cards that the state knows, as a statement."""
        days = self._shelves["card_days"]
        parts = [
            "state.cards",
            "state.complaints",
            f"({days.restricted(days.rollup.only(()), 'TRUE', None)})",
        ]
        return " UNION ".join(f"SELECT card FROM {part}" for part in parts)

    def _plan(self, rule: Prepared, moments: Moments) -> None:
        """Write down when to ask again about the affected cards; what is past by now was just judged."""
        self._run(f"DELETE FROM state.due WHERE rule = '{rule.id}' AND card IN (SELECT card FROM affected)")
        self._execute(
            f"INSERT INTO state.due SELECT '{rule.id}', card, due_at FROM ({rule.due})"
            f" WHERE card IN (SELECT card FROM affected) AND due_at > TIMESTAMP '{moments.as_of}'",
            vars(moments),
        )

    def _restrict(
        self,
        rules: Sequence[Prepared],
        moments: Mapping[str, Moments],
        seen: datetime,
        since: datetime | None,
        *,
        narrowed: bool,
    ) -> None:
        """Make the tables that `rules` read, with no more than the cards that their hits can depend on."""
        self._run("CREATE OR REPLACE TEMP TABLE visible AS SELECT card FROM affected")
        for column in sorted({rule.rule.together for rule in rules} - {""}):
            # one step to the cards that belong with the affected ones; their own company decides about them
            self._spread(column)
        registers = frozenset().union(*(rule.registers for rule in rules))
        if narrowed and any("cards" in text for rule in rules for text in rule.narrow.values()):
            registers |= {"cards"}
        for register in registers:
            self._register(register, rules, seen)
        if any("hits" in rule.rule.reads for rule in rules):
            self._make("hits", "SELECT * FROM state.hits WHERE card IN (SELECT card FROM visible)")
        back = max(reaches_back(rule) for rule in rules)
        window = since - back if since and since.year > 1900 and back.days < 36_500 else None
        for lean in lean_for(list(rules), narrowed=narrowed):
            where = "card IN (SELECT card FROM visible)"
            condition = self._narrow(lean.name, rules) if narrowed else ""
            if condition:
                where = f"{where} AND ({condition})"
            self._make(
                lean.name,
                self._shelves[lean.name].restricted(lean, where, window),
                self._given(moments, rules),
            )

    def _narrow(self, rollup: str, rules: Sequence[Prepared]) -> str:
        readers = [rule for rule in rules if rollup in rule.rollups]
        if not readers or any(rollup not in rule.narrow for rule in readers):
            return ""
        return " OR ".join(f"({rule.narrow[rollup]})" for rule in readers)

    def _spread(self, column: str) -> None:
        """Make the cards visible that share `column` with a visible one."""
        more = self.company(column, "SELECT card FROM visible")
        self._run(f"CREATE OR REPLACE TEMP TABLE wider AS SELECT card FROM visible UNION {more}")
        self._run("CREATE OR REPLACE TEMP TABLE visible AS SELECT card FROM wider")

    def company(self, column: str, cards: str) -> str:
        """Cards that share `column` with one of `cards` (a statement), as a statement."""
        if column == "holder":
            return (
                "SELECT card FROM state.cards WHERE holder IN (SELECT holder FROM state.cards WHERE holder IS NOT NULL"
                f" AND card IN ({cards}))"
            )
        rows = self._shelves["card_devices"].restricted(
            ROLLUPS["card_devices"].only(()), "imei IS NOT NULL", None
        )
        return f"SELECT card FROM ({rows}) WHERE imei IN (SELECT imei FROM ({rows}) WHERE card IN ({cards}))"

    def _register(self, register: str, rules: Sequence[Prepared], seen: datetime) -> None:
        """A register as it was known at `seen`, of the visible cards, with the columns that are asked for."""
        table = TABLES[register]
        if register == "cards":
            columns = ", ".join(
                f"CASE WHEN {c.name} <= TIMESTAMP '{seen}' THEN {c.name} END AS {c.name}"
                if c.name in ("last_used_at", "verified_at")
                else c.name
                for c in table.columns
            )
            known = f"(opened_at IS NULL OR opened_at <= TIMESTAMP '{seen}')"
        else:
            columns = ", ".join(c.name for c in table.columns)
            known = f"({table.time} IS NULL OR {table.time} <= TIMESTAMP '{seen}')" if table.time else "TRUE"
        self._make(
            register,
            f"SELECT {columns} FROM state.{register} WHERE card IN (SELECT card FROM visible) AND {known}",
        )

    def _make(self, name: str, select: str, given: Mapping[str, Any] | None = None) -> None:
        self._run(f"DROP TABLE IF EXISTS temp.{name}")
        self._execute(f"CREATE TEMP TABLE {name} AS {select}", given or {})

    def _given(self, moments: Mapping[str, Moments], rules: Sequence[Prepared]) -> Mapping[str, datetime]:
        return vars(moments[rules[0].id])

    def _execute(self, sql: str, given: Mapping[str, Any]) -> None:
        named = {name: value for name, value in given.items() if f"${name}" in sql}
        if named:
            self._db.execute(sql, named).fetchall()
        else:
            self._db.execute(sql).fetchall()

    def _find(self, rule: Prepared, moments: Moments, since: datetime | None) -> None:
        later = f" AND seen_at >= TIMESTAMP '{since}'" if since else ""
        try:
            self._make(
                "found",
                f"SELECT * FROM ({selected(rule)}) WHERE card IN (SELECT card FROM affected){later}",
                vars(moments),
            )
        except duckdb.Error as error:
            raise RuleError(f"rule {rule.id}: its SQL does not run: {error}") from error

    def _settle(
        self, rule: Prepared, progress: Progress, since: datetime | None
    ) -> Counter[tuple[str, Change]]:
        """Put what was found in the place of the hits that stand; log what became of each."""
        later = f" AND seen_at >= TIMESTAMP '{since}'" if since else ""
        stands = (
            f"SELECT card, seen_at, evidence FROM state.hits WHERE rule = '{rule.id}'"
            f" AND card IN (SELECT card FROM affected){later}"
        )
        self._make("gone", f"{stands} EXCEPT SELECT card, seen_at, evidence FROM found")
        self._make("new", f"SELECT card, seen_at, evidence FROM found EXCEPT {stands}")
        gone, new = (int(self._run(f"SELECT count(*) FROM {t}")[0][0]) for t in ("gone", "new"))
        if not gone and not new:
            return Counter()
        if gone:
            self._run(
                f"DELETE FROM state.hits WHERE rule = '{rule.id}'"
                " AND (card, seen_at, evidence) IN (SELECT (card, seen_at, evidence) FROM gone)"
            )
        self._run(f"INSERT INTO state.hits SELECT card, '{rule.id}', seen_at, evidence FROM new")
        self._make(
            "changed",
            f"""
            SELECT CASE WHEN (card, seen_at) IN (SELECT (card, seen_at) FROM gone) THEN '{Change.REVISED.value}'
                        ELSE '{Change.RAISED.value}' END AS kind, card, seen_at, evidence FROM new
            UNION ALL
            SELECT '{Change.REVOKED.value}', card, seen_at, evidence FROM gone
            WHERE (card, seen_at) NOT IN (SELECT (card, seen_at) FROM new)
            """,
        )
        kinds = self._run("SELECT kind, count(*) FROM changed GROUP BY kind")
        self._run(
            f"INSERT INTO state.changes SELECT {progress.seq} + row_number() OVER (ORDER BY card, seen_at, kind),"
            f" kind, card, '{rule.id}', seen_at, evidence FROM changed"
        )
        progress.seq += sum(count for _, count in kinds)
        return Counter({(rule.id, Change(kind)): count for kind, count in kinds})
