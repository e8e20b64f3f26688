"""Triggers of evaluation: new records, end of a day, due times, register changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from duanka.domain.rule import Window
from duanka.domain.schema import TABLES, ColumnKind
from duanka.engine.live.announcements import Changes
from duanka.engine.live.evaluator import EvaluationPass, JudgementTimes, RuleEvaluator
from duanka.engine.live.state.compiled_rule import CompiledRule
from duanka.engine.live.state.rollup_shelf import RollupShelf
from duanka.engine.live.state.state_file import LiveState
from duanka.engine.live.state.watermarks import LONG_AGO, Watermarks


@dataclass(frozen=True)
class EndOfRecords:
    """Assumed end of records: complete up to `certain`, evaluated as of `midnight`."""

    certain: datetime
    midnight: datetime


@dataclass(frozen=True)
class _Received:
    """What had come when an evaluation began: `turn` of registers, files that wait, rows of rollups."""

    turn: int
    waiting: frozenset[str]
    rows: Mapping[str, tuple[int, int]]


class Triggers:
    """Finds the cards that each rule must evaluate now, and has them evaluated."""

    def __init__(
        self, state: LiveState, judge: RuleEvaluator, shelves: Mapping[str, RollupShelf], marks: Watermarks
    ) -> None:
        self._run, self._progress = state.run, state.progress
        self._judge, self._shelves, self._marks = judge, shelves, marks
        self._steps: Iterator[int] | None = None

    @property
    def running(self) -> bool:
        """Whether an evaluation has begun and not ended."""
        return self._steps is not None

    def pull(
        self,
        able: Sequence[CompiledRule],
        now: datetime,
        end: EndOfRecords | None = None,
        most: int | None = None,
    ) -> Changes:
        """Evaluate what is due; with `end`, as if no more records came.

        After about `most` cards it stops, and the next call goes on. Records that came meanwhile are evaluated again
        the next time.
        """
        if end and self._steps:
            _whole(self._steps)
            self._steps = None
        self._steps = self._steps or self._evaluation(able, now, end)
        cards = 0
        for done in self._steps:
            cards += done
            if most is not None and cards >= most:
                break
        else:
            self._steps = None
        changes, self._judge.changes = self._judge.changes, Counter()
        return changes

    def _evaluation(
        self, able: Sequence[CompiledRule], now: datetime, end: EndOfRecords | None
    ) -> Iterator[int]:
        """Evaluate what is due; yields where it may be interrupted, with the number of cards evaluated since."""
        progress = self._progress
        since, latest = self._marks.since(), self._marks.latest()
        if since is None or latest is None:
            return
        # registers may have been read as of an assumed end of records: never go back before it
        latest = end.midnight if end else max(latest, progress.seen or latest)
        self._registered(latest)
        moments = self._moments(able, since, latest, now, end)
        ready = [rule for rule in able if rule.id in moments]
        moved = since != progress.since
        anew = {r.id for r in ready if r.id not in progress.able or (moved and r.since_matters)}
        evaluation = EvaluationPass(latest, moments, frozenset(anew), final=end is not None)
        readers = [rule for rule in ready if "hits" in rule.rule.reads]
        self._judge.readers = [rule.id for rule in readers]
        received, progress.turn = self._received(), progress.turn + 1
        for cards in self._all(ready, evaluation):
            if not anew:  # what becomes known meanwhile would not be evaluated again
                yield cards
        for rule in readers:  # run last, because they read the hits of the others
            again = f"state.again WHERE rule = '{rule.id}'"
            asked = "state.hits" if rule.id in evaluation.anew else again
            _whole(self._judge.judge([rule], f"SELECT card FROM {asked}", evaluation))
            self._run(f"DELETE FROM {again}")
        progress.since, progress.seen = since, latest
        if end:
            progress.certain, progress.midnight = end.certain, end.midnight
        self._done(ready, moments, received)

    def _received(self) -> _Received:
        return _Received(
            self._progress.turn,
            frozenset(self._progress.waiting),
            {name: (shelf.cleared, shelf.progress.rows) for name, shelf in self._shelves.items()},
        )

    def _done(
        self, ready: Sequence[CompiledRule], moments: Mapping[str, JudgementTimes], received: _Received
    ) -> None:
        """Mark what had been received as evaluated by the `ready` rules."""
        self._evaluated(ready, moments)
        self._judge.clear()
        self._run(f"DELETE FROM state.touched WHERE turn <= {received.turn}")
        self._progress.waiting = [path for path in self._progress.waiting if path not in received.waiting]
        for name, shelf in self._shelves.items():
            cleared, rows = received.rows[name]
            shelf.judged(rows if shelf.cleared == cleared else 0)

    def _evaluated(self, rules: Sequence[CompiledRule], moments: Mapping[str, JudgementTimes]) -> None:
        """Note how far `rules` have come: from now on, earlier records are late."""
        reached = {rule.id: moments[rule.id].reached for rule in rules if moments[rule.id].reached > LONG_AGO}
        self._progress.able |= reached.keys()
        self._progress.marks |= {
            r.id: reached[r.id] for r in rules if r.feeds and not r.rule.monotone and r.id in reached
        }

    def _moments(
        self,
        able: Sequence[CompiledRule],
        since: datetime,
        latest: datetime,
        now: datetime,
        end: EndOfRecords | None,
    ) -> dict[str, JudgementTimes]:
        """Times of each rule; a rule without a watermark yet has none.

        With `end`, `reached` stays at the watermark, so that records that still follow are evaluated.
        """
        certain, midnight = self._progress.certain, self._progress.midnight
        moments = {}
        for rule in able:
            at_once = rule.rule.monotone or "hits" in rule.rule.reads
            reached = latest if at_once else self._marks.of_rule(rule, now)
            if end:
                moments[rule.id] = JudgementTimes(end.midnight, since, end.certain, reached or LONG_AGO)
            elif reached is not None:
                as_of, until = max(reached, midnight or reached), max(reached, certain or reached)
                moments[rule.id] = JudgementTimes(as_of, since, until, reached)
        return moments

    def _all(self, ready: Sequence[CompiledRule], evaluation: EvaluationPass) -> Iterator[int]:
        for group in _alike([rule for rule in ready if rule.rule.monotone]):
            yield from self._at_once(group, evaluation)
        for rule in ready:
            if rule.due:
                yield _whole(self._when_due(rule, evaluation))
                self._evaluated([rule], evaluation.moments)
        for rule in ready:
            if rule.closes:
                self._ask_again(rule, evaluation)
        for rule in self._closing(ready, evaluation):
            yield _whole(self._when_closed(rule, evaluation))
            self._evaluated([rule], evaluation.moments)

    def _closing(self, ready: Sequence[CompiledRule], evaluation: EvaluationPass) -> Sequence[CompiledRule]:
        """Daily rules to run: new ones and one other, to keep batches short; all at the end."""
        closed = self._progress.closed
        new = [r for r in ready if r.closes and (r.id not in closed or r.id in evaluation.anew)]
        over = [r for r in ready if r.closes and r not in new and evaluation.now_of(r).date() > closed[r.id]]
        return [*new, *(over if evaluation.final else over[:1])]

    def _ask_again(self, rule: CompiledRule, evaluation: EvaluationPass) -> None:
        """Schedule cards with a changed register row for the end of the next day."""
        if "cards" in rule.registers and rule.id in self._progress.closed:
            self._run(
                f"INSERT INTO state.again SELECT '{rule.id}', card FROM state.touched WHERE tbl = 'cards'"
            )

    def look_ahead(self, register: str, rows: str, latest: datetime | None) -> None:
        """Store register `rows` with a time after `latest`; they take effect at that time."""
        for column in TABLES[register].columns:
            if column.kind is ColumnKind.TIME and latest is not None:
                self._run(
                    f"INSERT INTO state.ahead SELECT '{register}', card, {column.name} FROM {rows}"
                    f" WHERE {column.name} > TIMESTAMP '{latest}'"
                )

    def _registered(self, latest: datetime) -> None:
        """Apply register rows whose stored time has come: mark their cards as touched."""
        if self._progress.since is None:
            for register in ("cards", "complaints", "cases", "rings", "outlet_batches"):
                self.look_ahead(register, f"state.{register}", latest)
        come = f"due_at <= TIMESTAMP '{latest}'"
        if self._run(f"SELECT 1 FROM state.ahead WHERE {come} LIMIT 1"):
            self._run(
                f"INSERT INTO state.touched SELECT tbl, card, {self._progress.turn} FROM state.ahead WHERE {come}"
            )
            self._run(f"DELETE FROM state.ahead WHERE {come}")

    def _at_once(self, group: Sequence[CompiledRule], evaluation: EvaluationPass) -> Iterator[int]:
        """Evaluate monotone rules (more records only add hits) for the newly touched cards."""
        if any(rule.id in evaluation.anew for rule in group):
            yield from self._judge.judge(group, self._judge.everybody(), evaluation)
            return
        touched = self._touched_rollups(group[0])
        registers = self._touched_registers(group)
        since = self._from_hour(group[0])
        if since is None:
            if stirred := " UNION ".join(part for part in (touched, registers) if part):
                yield from self._judge.judge(group, stirred, evaluation)
            return
        if touched:
            yield from self._judge.judge(group, touched, evaluation, since=since)
        if registers:
            yield from self._judge.judge(group, registers, evaluation)

    def _touched_rollups(self, rule: CompiledRule) -> str:
        parts = []
        for name in sorted(rule.rollups):
            if self._shelves[name].waits:
                condition = f" WHERE {rule.touches[name]}" if rule.touches[name] else ""
                parts.append(f"SELECT card FROM {self._shelves[name].unjudged}{condition}")
        return " UNION ALL ".join(parts)

    def _touched_registers(self, group: Sequence[CompiledRule]) -> str:
        names = ", ".join(f"'{name}'" for name in sorted({n for rule in group for n in rule.registers}))
        touched = f"SELECT card FROM state.touched WHERE tbl IN ({names})"
        return touched if names and self._run(f"{touched} LIMIT 1") else ""

    def _from_hour(self, rule: CompiledRule) -> datetime | None:
        """The first touched hour, for a rule with hourly windows; None for others."""
        if rule.rule.window is not Window.HOUR:
            return None
        firsts = [
            self._run(f"SELECT min({shelf.window}) FROM {shelf.unjudged}")[0][0]
            for shelf in (self._shelves[name] for name in rule.rollups)
            if shelf.waits and shelf.window
        ]
        return min((f for f in firsts if f is not None), default=None)

    def _when_due(self, rule: CompiledRule, evaluation: EvaluationPass) -> Iterator[int]:
        """Evaluate absences: cards whose due time has come, and touched cards with a hit."""
        if rule.id in evaluation.anew and rule.rule.monotone:  # it has just evaluated all cards
            return
        if rule.id in evaluation.anew:
            yield from self._judge.judge([rule], self._judge.everybody(), evaluation)
            return
        # at the end of records, a due time that only waits for the day to end counts as reached
        mark = evaluation.now_of(rule) + (timedelta(days=1) if evaluation.final else timedelta())
        parts = [f"SELECT card FROM state.due WHERE rule = '{rule.id}' AND due_at <= TIMESTAMP '{mark}'"]
        touched = self._touched_rollups(rule)
        hits = f"SELECT card FROM state.hits WHERE rule = '{rule.id}'"
        if touched and not rule.rule.monotone and self._run(f"{hits} LIMIT 1"):
            parts.append(f"{hits} AND card IN ({touched})")
        if registers := self._touched_registers([rule]):
            parts.append(registers)
        self._run(f"CREATE OR REPLACE TEMP TABLE asked AS {' UNION '.join(parts)}")
        yield from self._judge.judge([rule], "SELECT card FROM asked", evaluation)

    def _when_closed(self, rule: CompiledRule, evaluation: EvaluationPass) -> Iterator[int]:
        """Evaluate daily ratios for all cards active on the days that have ended."""
        before, reached = self._progress.closed.get(rule.id), evaluation.moments[rule.id].reached
        if reached > LONG_AGO:
            self._progress.closed[rule.id] = reached.date()
        if before is None or rule.id in evaluation.anew:
            self._run(f"DELETE FROM state.again WHERE rule = '{rule.id}'")
            yield from self._judge.judge([rule], self._judge.everybody(), evaluation, closing=True)
            return
        begin = datetime.combine(before, time())
        windows = (s for s in (self._shelves[name] for name in sorted(rule.rollups)) if s.window)
        active = " UNION ".join(f"SELECT card FROM ({s.raw('card', begin)})" for s in windows)
        since = begin if rule.rule.window is Window.DAY else None
        yield from self._judge.judge([rule], active, evaluation, since=since, closing=True)
        again = f"SELECT card FROM state.again WHERE rule = '{rule.id}'"
        if rule.rule.together == "imei":
            again += f" UNION {self._newcomers(begin)}"
        yield from self._judge.judge([rule], again, evaluation, closing=True)
        self._run(f"DELETE FROM state.again WHERE rule = '{rule.id}'")

    def _newcomers(self, begin: datetime) -> str:
        """A SELECT of all cards of devices that received a new card since `begin`."""
        shelf = self._shelves["card_devices"]
        devices = shelf.restricted(shelf.rollup.only(("first_seen",)), "imei IS NOT NULL", None)
        return (
            f"SELECT unnest(cards) AS card FROM (SELECT list(card) AS cards FROM ({devices}) GROUP BY imei"
            f" HAVING count(*) > 1 AND max(first_seen) >= TIMESTAMP '{begin}')"
        )


def _alike(rules: Sequence[CompiledRule]) -> list[list[CompiledRule]]:
    """Group rules with the same inputs and conditions: the same cards are evaluated."""
    groups: dict[object, list[CompiledRule]] = {}
    for rule in rules:
        touches = tuple(sorted((name, text) for name, text in rule.touches.items() if name in rule.rollups))
        groups.setdefault((touches, rule.rule.window), []).append(rule)
    return list(groups.values())


def _whole(steps: Iterable[int]) -> int:
    """Go through all `steps` without interruption; returns the number of cards."""
    return sum(steps)
