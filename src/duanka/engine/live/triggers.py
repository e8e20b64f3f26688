"""What makes a rule look again: new records, a day that is over, a moment that has come, a register that changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time

from duanka.domain.live import Change
from duanka.domain.rule import Window
from duanka.engine.live.judge import Judge, Moments
from duanka.engine.live.marks import Marks
from duanka.engine.live.prepared import Prepared
from duanka.engine.live.progress import Progress
from duanka.engine.live.shelf import Run, Shelf

Changes = Counter[tuple[str, Change]]


class Triggers:
    """Finds, for every rule, the cards that it must judge now, and has them judged."""

    def __init__(
        self, run: Run, judge: Judge, shelves: Mapping[str, Shelf], rules: Sequence[Prepared]
    ) -> None:
        self._run = run
        self._judge = judge
        self._shelves = shelves
        self._rules = rules

    def pull(
        self,
        progress: Progress,
        marks: Marks,
        able: Sequence[Prepared],
        now: datetime,
        end: tuple[datetime, datetime] | None = None,
    ) -> Changes:
        """Judge what is due. `end`: where all records end for sure, and the midnight that they are judged at."""
        since, latest = marks.since(), marks.latest()
        if since is None or latest is None:
            return Counter()
        if end:
            latest = end[1]
        self._registered(latest)
        moved = since != progress.since
        moments, fresh = {}, set()
        for rule in able:
            mark = marks.of_rule(rule, now) if rule.feeds else latest
            if end or rule.rule.monotone or "hits" in rule.rule.reads:
                mark = latest
            if mark is None:
                continue
            moments[rule.id] = Moments(mark, since, end[0] if end else mark)
            if rule.id not in progress.able or (moved and rule.since_matters):
                fresh.add(rule.id)
        ready = [rule for rule in able if rule.id in moments]
        seq = progress.seq
        changes: Changes = Counter()
        for group in _alike([r for r in ready if r.rule.monotone]):
            changes += self._at_once(group, moments, progress, latest, fresh)
        for rule in ready:
            if rule.due and not (rule.rule.monotone and rule.id in fresh):
                changes += self._when_due(rule, moments, progress, latest, fresh)
            if rule.closes:
                changes += self._when_closed(rule, moments, progress, latest, fresh)
        for rule in ready:
            if "hits" in rule.rule.reads:
                cards = f"SELECT card FROM state.changes WHERE seq > {seq}"
                changes += self._judge.judge([rule], cards, moments, progress, seen=latest)
        progress.since = since
        progress.able |= {rule.id for rule in ready}
        progress.marks |= {
            rule.id: moments[rule.id].as_of for rule in ready if rule.feeds and not rule.rule.monotone
        }
        self._run("DELETE FROM state.touched")
        for shelf in self._shelves.values():
            shelf.judged()
        return changes

    def _registered(self, latest: datetime) -> None:
        """What a register said ahead of its time is known from now on."""
        come = f"tbl <> '' AND due_at <= TIMESTAMP '{latest}'"
        if self._run(f"SELECT 1 FROM state.ahead WHERE {come} LIMIT 1"):
            self._run(f"INSERT INTO state.touched SELECT tbl, card FROM state.ahead WHERE {come}")
            self._run(f"DELETE FROM state.ahead WHERE {come}")

    def _at_once(
        self,
        group: Sequence[Prepared],
        moments: Mapping[str, Moments],
        progress: Progress,
        latest: datetime,
        fresh: set[str],
    ) -> Changes:
        """Rules whose hits more records can only add to: at every judgement, for the cards touched since the last."""
        if any(rule.id in fresh for rule in group):
            return self._judge.judge(group, self._judge.everybody(), moments, progress, seen=latest)
        first = group[0]
        touched = self._touched_rollups(first)
        registers = self._touched_registers(first)
        changes: Changes = Counter()
        together = first.rule.together
        if touched:
            cards = self._judge.company(together, touched) + f" UNION {touched}" if together else touched
            since = self._from_hour(first)
            changes += self._judge.judge(group, cards, moments, progress, seen=latest, since=since)
        if registers:
            cards = (
                self._judge.company(together, registers) + f" UNION {registers}" if together else registers
            )
            changes += self._judge.judge(group, cards, moments, progress, seen=latest)
        return changes

    def _touched_rollups(self, rule: Prepared) -> str:
        parts = []
        for name in sorted(rule.rollups):
            if self._shelves[name].waits:
                condition = f" AND ({rule.touches[name]})" if rule.touches[name] else ""
                parts.append(f"SELECT card FROM {self._shelves[name].unjudged}{condition}")
        return " UNION ".join(parts)

    def _touched_registers(self, rule: Prepared) -> str:
        names = ", ".join(f"'{name}'" for name in sorted(rule.registers))
        if not names or not self._run(f"SELECT 1 FROM state.touched WHERE tbl IN ({names}) LIMIT 1"):
            return ""
        return f"SELECT card FROM state.touched WHERE tbl IN ({names})"

    def _from_hour(self, rule: Prepared) -> datetime | None:
        """Where a rule judges hour by hour, the first hour that was touched."""
        if rule.rule.window is not Window.HOUR:
            return None
        firsts = [
            self._run(f"SELECT min({shelf.window}) FROM {shelf.unjudged}")[0][0]
            for shelf in (self._shelves[name] for name in rule.rollups)
            if shelf.waits and shelf.window
        ]
        return min((f for f in firsts if f is not None), default=None)

    def _when_due(
        self,
        rule: Prepared,
        moments: Mapping[str, Moments],
        progress: Progress,
        latest: datetime,
        fresh: set[str],
    ) -> Changes:
        """Absences: the cards whose moment has come, and those with a hit that something happened to."""
        mark = moments[rule.id].as_of
        if rule.id in fresh:
            everybody = self._judge.everybody()
            return self._judge.judge([rule], everybody, moments, progress, seen=latest)
        come = f"SELECT card FROM state.due WHERE rule = '{rule.id}' AND due_at <= TIMESTAMP '{mark}'"
        parts = [come]
        touched = self._touched_rollups(rule)
        if touched and not rule.rule.monotone:
            parts.append(f"SELECT card FROM state.hits WHERE rule = '{rule.id}' AND card IN ({touched})")
        registers = self._touched_registers(rule)
        if registers:
            parts.append(registers)
        cards = " UNION ".join(parts)
        if rule.rule.together:
            cards = f"{self._judge.company(rule.rule.together, cards)} UNION {cards}"
        self._run(f"CREATE OR REPLACE TEMP TABLE asked AS {cards}")
        if not self._run("SELECT 1 FROM asked LIMIT 1"):
            return Counter()
        return self._judge.judge([rule], "SELECT card FROM asked", moments, progress, seen=latest)

    def _when_closed(
        self,
        rule: Prepared,
        moments: Mapping[str, Moments],
        progress: Progress,
        latest: datetime,
        fresh: set[str],
    ) -> Changes:
        """Ratios over days: all cards that were active on the days that are over now."""
        day = moments[rule.id].as_of.date()
        if "cards" in rule.registers and rule.id in progress.closed:
            self._run(
                f"INSERT INTO state.again SELECT '{rule.id}', card FROM state.touched WHERE tbl = 'cards'"
            )
        before = progress.closed.get(rule.id)
        first = rule.id in fresh or before is None
        if not first and before is not None and day <= before:
            return Counter()
        progress.closed[rule.id] = day
        if first or before is None:
            self._run(f"DELETE FROM state.again WHERE rule = '{rule.id}'")
            return self._judge.judge(
                [rule], self._judge.everybody(), moments, progress, seen=latest, narrowed=True
            )
        begin = datetime.combine(before, time())
        active = " UNION ".join(
            f"SELECT card FROM ({shelf.restricted(shelf.rollup.only(()), 'TRUE', begin)})"
            for shelf in (self._shelves[name] for name in sorted(rule.rollups))
            if shelf.window
        )
        since = begin if rule.rule.window is Window.DAY else None
        changes = self._judge.judge(
            [rule], active, moments, progress, seen=latest, since=since, narrowed=True
        )
        again = f"SELECT card FROM state.again WHERE rule = '{rule.id}'"
        if rule.rule.together == "imei":
            again += f" UNION {self._newcomers(begin)}"
        changes += self._judge.judge([rule], again, moments, progress, seen=latest, narrowed=True)
        self._run(f"DELETE FROM state.again WHERE rule = '{rule.id}'")
        return changes

    def _newcomers(self, begin: datetime) -> str:
        """Cards of devices that a card came into since `begin`: the whole box is another one now."""
        shelf = self._shelves["card_devices"]
        devices = shelf.restricted(shelf.rollup.only(("first_seen",)), "imei IS NOT NULL", None)
        return (
            f"SELECT unnest(cards) AS card FROM (SELECT list(card) AS cards FROM ({devices}) GROUP BY imei"
            f" HAVING count(*) > 1 AND max(first_seen) >= TIMESTAMP '{begin}')"
        )


def _alike(rules: Sequence[Prepared]) -> Iterator[list[Prepared]]:
    """Rules that read the same, under the same conditions, are judged over the same cards together."""
    groups: dict[object, list[Prepared]] = {}
    for rule in rules:
        key = (
            tuple(sorted(rule.touches.items())),
            rule.rule.window,
            rule.rule.together,
        )
        groups.setdefault(key, []).append(rule)
    yield from groups.values()
