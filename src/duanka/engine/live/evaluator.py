"""Evaluates rules for the affected cards and logs how their hits changed.

The SQL of a rule is unchanged. The tables it reads hold only the affected cards and the cards linked to them (same
holder or device, where the rule asks for it). Its result replaces the hits of the affected cards; the difference is
logged as changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from itertools import pairwise
from typing import Any

import duckdb

from duanka.domain.errors import RuleError
from duanka.domain.rollups import Rollup
from duanka.domain.schema import TABLES
from duanka.domain.streaming import Change
from duanka.engine.live.announcements import Changes, log_changes
from duanka.engine.live.candidates import Candidates
from duanka.engine.live.state.compiled_rule import CompiledRule, lean_for, read_from
from duanka.engine.live.state.record_shelf import RecordShelf
from duanka.engine.live.state.rollup_shelf import RollupShelf
from duanka.engine.live.state.state_file import LiveState
from duanka.engine.shared.available_data import any_of
from duanka.engine.shared.coverage import known
from duanka.engine.shared.hit_table import first_only

AT_ONCE = 250_000  # cards evaluated together; more are evaluated in slices
IN_ONE_GO = "cell"  # whoever was in a cell may be in any slice: rules that look at them together have one
_WORK = (  # tables of an evaluation, beside those that rules read
    *("stirring", "stirred", "concerned", "affected", "visible", "unmet", "linked"),
    *("devices", "found", "gone", "new", "changed"),
)
MANY = 100_000  # cards or rows for which it pays to go through all cards once, and not in each statement


@dataclass(frozen=True)
class JudgementTimes:
    """Local times for a rule: three that its SQL may read; results up to `reached` are final."""

    as_of: datetime
    records_from: datetime
    records_until: datetime
    reached: datetime


@dataclass(frozen=True)
class EvaluationPass:
    """Inputs of one evaluation of several rules.

    `latest`: registers are read as known at this time. `moments`: rule -> its times. `anew`: rules evaluated
    for all cards. `final`: as if the records had ended.
    """

    latest: datetime
    moments: Mapping[str, JudgementTimes]
    anew: frozenset[str]
    final: bool

    def now_of(self, rule: CompiledRule) -> datetime:
        """Time up to which due times of `rule` are handled."""
        moments = self.moments[rule.id]
        return moments.as_of if self.final else moments.reached


class RuleEvaluator:
    """Evaluates groups of rules for the cards in the temporary table `affected`.

    `changes`: what has changed since somebody took it. `readers`: rules that read hits; cards whose hits changed are
    kept for them in `state.again`.
    """

    def __init__(
        self,
        state: LiveState,
        shelves: Mapping[str, RollupShelf],
        records: Mapping[str, RecordShelf],
        shadows: frozenset[str] = frozenset(),
    ) -> None:
        """`shadows`: rules whose hits no other rule reads."""
        self._state, self._run, self._shelves, self._records = state, state.run, shelves, records
        self._candidates = Candidates(state, shelves)
        self.changes: Changes = Counter()
        self.readers: Sequence[str] = ()
        self._at_once = AT_ONCE
        self._devices = False  # whether the temporary table `devices` holds card_devices, merged
        self._unseen = ", ".join(f"'{rule}'" for rule in sorted(shadows)) or "''"

    def judge(
        self,
        rules: Sequence[CompiledRule],
        stirred: str,
        evaluation: EvaluationPass,
        *,
        since: datetime | None = None,
        closing: bool = False,
    ) -> Iterator[int]:
        """Evaluate `rules`, which share their inputs, for the cards selected by `stirred`, slice by slice.

        After each slice, and when it has gone through all cards first, it yields how many cards that was worth.
        `since`: only windows from here on are evaluated. Linked cards are evaluated too, except with `closing` (end of
        a day), when all active cards are selected anyway.
        """
        candidates = self._candidates.find(rules, stirred, since, MANY, self._at_once)
        if candidates:
            stirred = f"SELECT card FROM ({stirred}) SEMI JOIN stirring USING (card)"
        self._run(f"CREATE OR REPLACE TEMP TABLE stirred AS SELECT DISTINCT card FROM ({stirred})")
        cards = int(self._run("SELECT count(*) FROM stirred")[0][0])
        linked = {rule.rule.together for rule in rules} - {""}
        together = sorted(linked - {IN_ONE_GO})
        self._run("CREATE OR REPLACE TEMP TABLE concerned AS SELECT card FROM stirred")
        if candidates:
            yield candidates  # going through all cards takes about as long as judging the stirred ones did
        if "imei" in together and cards and (candidates or cards >= MANY):
            among = "card IN (SELECT card FROM stirring)" if candidates else "TRUE"
            self._merge_devices(rules, among, narrowed=closing)
        if cards and not closing:
            for column in together:
                cards += self._spread(column, "stirred", "concerned")
        slices = ["TRUE"] if IN_ONE_GO in linked and cards else self._slices(cards)
        for within in slices:
            self._run(f"CREATE OR REPLACE TEMP TABLE affected AS SELECT card FROM concerned WHERE {within}")
            self._see_company(together, whole=closing or len(slices) > 1)
            seq = self._state.progress.seq
            if self._restrict(rules, evaluation, since, closing=closing):
                self._evaluate(rules, evaluation, since)
            self._tell_readers(seq)
            yield cards // len(slices)
        self._devices = False

    def clear(self) -> None:
        """Drop the tables of an evaluation that has ended: of many cards, they would fill memory, and then the disk."""
        for name in (*_WORK, *self._shelves, *TABLES, "hits"):
            self._run(f"DROP TABLE IF EXISTS temp.{name}")

    def _slices(self, cards: int) -> list[str]:
        """Conditions of ranges of `concerned` cards: files of the store are sorted by card."""
        slices = -(-cards // self._at_once)
        if slices < 2:
            return ["TRUE"] * slices
        shares = ", ".join(str(number / slices) for number in range(1, slices))
        bounds = sorted(set(self._run(f"SELECT approx_quantile(card, [{shares}]) FROM concerned")[0][0]))
        between = [f"card >= {low} AND card < {high}" for low, high in pairwise(bounds)]
        return [f"card < {bounds[0]}", *between, f"card >= {bounds[-1]}"]

    def _evaluate(
        self, rules: Sequence[CompiledRule], evaluation: EvaluationPass, since: datetime | None
    ) -> None:
        for rule in rules:
            frozen = self._frozen(rule)
            # an absence stays certain once it is due, however old; a ratio needs its whole window, so
            # hits whose window is partly deleted are not evaluated again
            judged = since if frozen is None or rule.due else max(frozen, since or frozen)
            self._find(rule, evaluation.moments[rule.id], judged)
            self.changes += self._settle(rule, since, frozen)
            if rule.due:
                self._plan(rule, evaluation.moments[rule.id])

    def _tell_readers(self, seq: int) -> None:
        """Keep the cards whose hits changed since `seq` for the rules that read hits."""
        if self._state.progress.seq > seq:
            for reader in self.readers:
                self._run(
                    f"INSERT INTO state.again SELECT DISTINCT '{reader}', card FROM state.changes"
                    f" WHERE seq > {seq} AND rule <> '{reader}'"
                )

    def _merge_devices(self, rules: Sequence[CompiledRule], among: str, *, narrowed: bool) -> None:
        """Create the table `devices`: card_devices of the cards that fulfil `among`, as `rules` read it."""
        whole = self._shelves["card_devices"].rollup
        read = next((r for r in lean_for(rules, narrowed=narrowed) if r.name == whole.name), whole.only(()))
        self._make("devices", self._shelves[whole.name].restricted(read, among, None))
        self._devices = True

    def _see_company(self, together: Sequence[str], *, whole: bool) -> None:
        """Fill the table `visible`: the affected cards and the cards linked to them.

        Unless `whole`, the cards linked to `stirred` are already in `affected`.
        """
        self._run("CREATE OR REPLACE TEMP TABLE visible AS SELECT card FROM affected")
        if not together:
            return
        met = "" if whole else " ANTI JOIN stirred USING (card)"
        self._run(f"CREATE OR REPLACE TEMP TABLE unmet AS SELECT card FROM affected{met}")
        if whole or self._run("SELECT 1 FROM unmet LIMIT 1"):
            for column in together:
                self._spread(column, "unmet", "visible")

    def everybody(self) -> str:
        """A SELECT of all cards in the state."""
        days = self._shelves.get("card_days")
        there = {part.source for part in days.rollup.parts} if days else set()
        # card_days covers every use of a card, except sources that no rule reads in it, such as sightings
        seen = [
            shelf
            for shelf in self._shelves.values()
            if shelf is days or any(part.source not in {*there, "card_days"} for part in shelf.rollup.parts)
        ]
        parts = [
            "state.cards",
            "state.complaints",
            "state.rings",
            "state.outlet_batches",
            *(f"({shelf.raw('card')})" for shelf in seen),
        ]
        return " UNION ".join(f"SELECT card FROM {part}" for part in parts)

    def _plan(self, rule: CompiledRule, moments: JudgementTimes) -> None:
        """Store the future due times of the affected cards, to evaluate them again then."""
        self._run(f"DELETE FROM state.due WHERE rule = '{rule.id}' AND card IN (SELECT card FROM affected)")
        self._execute(
            f"INSERT INTO state.due SELECT '{rule.id}', card, due_at FROM ({rule.due})"
            f" WHERE card IN (SELECT card FROM affected) AND due_at > TIMESTAMP '{moments.reached}'",
            vars(moments),
        )

    def _restrict(
        self,
        rules: Sequence[CompiledRule],
        evaluation: EvaluationPass,
        since: datetime | None,
        *,
        closing: bool,
    ) -> bool:
        """Create the tables that `rules` read, for visible cards; False if no card can have a hit."""
        rollups = lean_for(rules, narrowed=closing)
        if not closing:
            self._rollups(rollups, rules, evaluation, since, closing=False)
            if not self._candidates.narrow(rules):
                return False
        registers = frozenset().union(*(rule.registers for rule in rules))
        if closing and any("cards" in text for rule in rules for text in rule.narrow.values()):
            registers |= {"cards"}
        mentions = [*(m for r in rules for m in r.mentions), *(m for r in rules for m in r.narrow_mentions)]
        for register in registers:
            asked = frozenset().union(*(columns for tables, columns in mentions if register in tables))
            self._register(register, asked, evaluation.latest)
        if any("hits" in rule.rule.reads for rule in rules):
            self._make(
                "hits",
                "SELECT * FROM state.hits WHERE card IN (SELECT card FROM visible)"
                f" AND rule NOT IN ({self._unseen})",
            )
        if closing:  # `narrow` conditions may read a register, so registers come first
            self._rollups(rollups, rules, evaluation, since, closing=True)
        for table in frozenset().union(*(rule.records for rule in rules)):
            self._record_table(table, rules, evaluation, since)
        return True

    def _record_table(
        self, table: str, rules: Sequence[CompiledRule], evaluation: EvaluationPass, since: datetime | None
    ) -> None:
        """Create a record table as `rules` read it; their `narrow` conditions read rollups, so these come first."""
        readers = [rule for rule in rules if table in rule.records]
        named = frozenset().union(
            *(columns for r in readers for tables, columns in r.mentions if table in tables)
        )
        wanted = ", ".join(c.name for c in TABLES[table].columns if c.name in named)
        where = "card IN (SELECT card FROM visible)"
        if narrow := any_of(rule.narrow.get(table, "") for rule in readers):
            where = f"{where} AND ({narrow})"
        rows = f"SELECT * FROM ({self._records[table].raw(wanted, read_from(rules, since))}) WHERE {where}"
        self._make(table, rows, vars(evaluation.moments[rules[0].id]))

    def _rollups(
        self,
        rollups: Sequence[Rollup],
        rules: Sequence[CompiledRule],
        evaluation: EvaluationPass,
        since: datetime | None,
        *,
        closing: bool,
    ) -> None:
        window = read_from(rules, since)
        for one in rollups:
            where = "card IN (SELECT card FROM visible)"
            readers = [rule for rule in rules if one.name in rule.rollups]
            if closing and (narrow := any_of(rule.narrow.get(one.name, "") for rule in readers)):
                where = f"{where} AND ({narrow})"
            restricted = self._shelves[one.name].restricted(one, where, window)
            if one.name == "card_devices" and self._devices:
                restricted = f"SELECT * FROM devices WHERE {where}"
            self._make(one.name, restricted, vars(evaluation.moments[rules[0].id]))

    def _spread(self, column: str, cards: str, into: str) -> int:
        """Add to `into` the cards that share `column` with one of `cards`; return their count."""
        source = "state.cards"
        if column == "imei":
            source = "devices" if self._devices else f"({self._shelves['card_devices'].raw('card, imei')})"
        self._run(
            f"CREATE OR REPLACE TEMP TABLE linked AS SELECT DISTINCT {column} FROM {source}"
            f" SEMI JOIN {cards} USING (card) WHERE {column} IS NOT NULL"
        )
        return int(
            self._run(
                f"INSERT INTO {into} SELECT DISTINCT card FROM (SELECT card, {column} FROM {source}"
                f" SEMI JOIN linked USING ({column})) ANTI JOIN {into} USING (card)"
            )[0][0]
        )

    def _register(self, register: str, asked: frozenset[str], seen: datetime) -> None:
        """Create a register as known at `seen`: visible cards, columns in `asked`."""
        table = TABLES[register]
        wanted = [c.name for c in table.columns if c.name in asked or c.name == "card"]
        visible = f"(SELECT * FROM state.{register} WHERE card IN (SELECT card FROM visible))"
        self._make(register, known(table, visible, seen, wanted, "state.passes"))

    def _make(self, name: str, select: str, given: Mapping[str, Any] | None = None) -> None:
        self._run(f"DROP TABLE IF EXISTS temp.{name}")
        self._execute(f"CREATE TEMP TABLE {name} AS {select}", given or {})

    def _execute(self, sql: str, given: Mapping[str, Any]) -> None:
        named = {name: value for name, value in given.items() if f"${name}" in sql}
        self._state.db.execute(sql, named or None).fetchall()

    def _frozen(self, rule: CompiledRule) -> datetime | None:
        """Time before which hits stay unchanged: their data is beyond retention."""
        horizons = (
            [self._state.progress.horizon] if any(self._shelves[n].window for n in rule.rollups) else []
        )
        for table in rule.records:
            begin = self._records[table].begin
            horizons.append(datetime.combine(begin, time()) if begin else None)
        horizon = max((one for one in horizons if one), default=None)
        return horizon + rule.rule.look_back if horizon else None

    def _find(self, rule: CompiledRule, moments: JudgementTimes, since: datetime | None) -> None:
        later = f" AND seen_at >= TIMESTAMP '{since}'" if since else ""
        if since and rule.rule.first_only:
            first = f"SELECT card FROM state.hits WHERE rule = '{rule.id}' AND seen_at < TIMESTAMP '{since}'"
            later += f" AND card NOT IN ({first})"
        within = f"card IN (SELECT card FROM affected){later}"
        try:
            self._make(
                "found",
                f"SELECT * FROM ({rule.select}) WHERE {within}{first_only(rule.rule)}",
                vars(moments),
            )
        except duckdb.Error as error:
            raise RuleError(f"rule {rule.id}: its SQL does not run: {error}") from error

    def _settle(self, rule: CompiledRule, since: datetime | None, frozen: datetime | None) -> Changes:
        """Replace the stored hits with the table `found` and log each change."""
        later = f" AND seen_at >= TIMESTAMP '{since}'" if since else ""
        stands = (
            f"SELECT card, seen_at, evidence FROM state.hits WHERE rule = '{rule.id}'"
            f" AND card IN (SELECT card FROM affected){later}"
        )
        kept = ""
        if frozen:
            kept = f" WHERE seen_at >= TIMESTAMP '{frozen}' OR (card, seen_at) IN (SELECT (card, seen_at) FROM found)"
        self._make("gone", f"SELECT * FROM ({stands} EXCEPT SELECT card, seen_at, evidence FROM found){kept}")
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
                        ELSE '{Change.RAISED.value}' END AS kind, card, '{rule.id}' AS rule, seen_at, evidence FROM new
            UNION ALL
            SELECT '{Change.REVOKED.value}', card, '{rule.id}', seen_at, evidence FROM gone
            WHERE (card, seen_at) NOT IN (SELECT (card, seen_at) FROM new)
            """,
        )
        return log_changes(self._state, "changed", "card, seen_at, kind, evidence")
