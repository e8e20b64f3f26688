"""Watermarks of sources and rules.

The watermark of a source is its latest event less its allowed lateness. The watermark of a rule is the
minimum over the sources of the tables that feed it. A source without progress for a configured time is
silent: it is reported and no longer delays the rules; what it delivers for windows evaluated without it is
late. Only later events count as progress; else a source that repeats the same hours would delay the rules
for ever. New sources, however many follow one another, delay the rules only as long as a silent one does; a
source is no longer new after it has progressed for that time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta

from duanka.domain.schema import TABLES
from duanka.domain.streaming import Lateness, SourceReach
from duanka.domain.take import Coverage
from duanka.engine.live.state.checkpoint import Checkpoint, SourceProgress
from duanka.engine.live.state.compiled_rule import CompiledRule
from duanka.engine.shared.coverage import Day, by_day, since, without_strays

_DAY = timedelta(days=1)
LONG_AGO = datetime(1, 1, 1)
_MOST_SOURCES = 2_000  # from here on, new source names share one watermark a table
_OTHER_SOURCES = "(others)/{}"


class Watermarks:
    """Computes and advances the watermarks stored in `progress`, for the running `rules`."""

    def __init__(self, progress: Checkpoint, lateness: Lateness, rules: Sequence[CompiledRule] = ()) -> None:
        self._progress, self._lateness, self._rules = progress, lateness, rules

    def expect(self, sources: Mapping[str, str], now: datetime) -> None:
        """Register `sources` (name -> table), to wait for them before their first record."""
        for name, table in sources.items():
            heard = SourceProgress(name=name, table=table, heard_at=now)
            self._progress.sources.setdefault(_key(name, table), heard)

    def begin(self, now: datetime) -> None:
        """Start a run: downtime of the engine does not count as silence of a source."""
        self._progress.held.clear()
        for source in self._progress.sources.values():
            source.heard_at = max(source.heard_at or now, now)

    def source(self, name: str, table: str, now: datetime) -> SourceProgress:
        """Progress of a delivering source; sets its `floor` to the time evaluated so far."""
        found = self._known(name, table, now)
        judged = max(self._judged(table), self._progress.forgotten.get(table, LONG_AGO))
        if judged > LONG_AGO and not self._progress.history:
            # also after silence: windows evaluated without the source stay closed
            found.floor = judged
        found.heard_at = found.heard_at or now
        return found

    def _known(self, name: str, table: str, now: datetime) -> SourceProgress:
        sources = self._progress.sources
        if _key(name, table) not in sources and len(sources) >= _MOST_SOURCES:
            name = _OTHER_SOURCES.format(table)
        joined = None if self._progress.history else now
        return sources.setdefault(_key(name, table), SourceProgress(name=name, table=table, joined_at=joined))

    @staticmethod
    def advance(source: SourceProgress, high: datetime, now: datetime) -> None:
        """Record events up to `high`; `heard_at` advances by as much, at most to `now`."""
        if source.high is None or source.heard_at is None:
            source.high, source.heard_at, source.begun = high, now, high
        elif high > source.high:
            source.heard_at = min(now, source.heard_at + (high - source.high))
            source.high = high

    def _judged(self, table: str) -> datetime:
        """Latest watermark of the rules fed by `table`."""
        marks = self._progress.marks
        return max((marks[p.id] for p in self._rules if table in p.feeds and p.id in marks), default=LONG_AGO)

    def over(self) -> dict[str, datetime]:
        """Table -> time before which any record is late; never moves back."""
        found: dict[str, datetime] = {}
        for source in self._progress.sources.values():
            before = max(self._complete(source), self._judged(source.table))
            found[source.table] = min(found.get(source.table, before), before)
        known = self._progress.forgotten
        return {table: max(moment, known.get(table, moment)) for table, moment in found.items()}

    def late_before(self, source: SourceProgress) -> datetime | None:
        """Time before which events of the source are late; None while reading the backlog."""
        if self._progress.history:
            return None
        return max(self._complete(source), source.floor or LONG_AGO)

    def _complete(self, source: SourceProgress) -> datetime:
        if source.high is None:
            return source.floor or LONG_AGO
        behind = source.high - self._lateness.of(source.name) if source.high - LONG_AGO > _DAY else LONG_AGO
        if by_day(source.table):  # daily totals: round up to whole days
            begin = datetime.combine(behind, time())
            behind = begin if begin == behind else begin + _DAY
        return max(behind, source.floor or LONG_AGO)

    def _silent(self, source: SourceProgress, now: datetime) -> bool:
        patience = self._lateness.silence_of(source.name, source.table)
        return source.heard_at is not None and now - source.heard_at > patience

    def of_rule(self, prepared: CompiledRule, now: datetime) -> datetime | None:
        """Watermark of a rule; None before any data and while reading the backlog."""
        if self._progress.history:
            return None
        feeding = [s for s in self._progress.sources.values() if s.table in prepared.feeds]
        if not feeding:
            return self.latest()
        heard = self._heard(prepared, [s for s in feeding if not self._silent(s, now)], now)
        if not heard:  # all are silent: the watermark stays
            return self._progress.marks.get(prepared.id)
        # a new source may hold the watermark, but never moves it back
        mark = max(min(heard), self._progress.marks.get(prepared.id, LONG_AGO))
        return mark if mark > LONG_AGO else None

    def _heard(
        self, prepared: CompiledRule, sources: Sequence[SourceProgress], now: datetime
    ) -> Sequence[datetime]:
        """Watermarks of the sources the rule waits for; new ones only for a limited time."""
        known = [self._complete(s) for s in sources if self._proven(s, now)]
        new = [self._complete(s) for s in sources if not self._proven(s, now)]
        if not known or not new or min(new) >= min(known):
            self._progress.held.pop(prepared.id, None)
            return [*known, *new]
        since = self._progress.held.setdefault(prepared.id, now)
        return known if now - since > self._lateness.silent else [*known, *new]

    def _proven(self, source: SourceProgress, now: datetime) -> bool:
        """Whether a source was there from the start or has progressed for long enough."""
        if source.joined_at is None:
            return True
        patience = self._lateness.silence_of(source.name, source.table)
        went_on = source.high - source.begun if source.high and source.begun else timedelta()
        return went_on >= patience and now - source.joined_at >= patience

    def latest(self) -> datetime | None:
        """The latest event of all tables: the current time of rules that fire immediately."""
        ends = [
            last + _DAY if by_day(table) else last  # a daily total covers its day
            for table, last in self._progress.lasts.items()
            if TABLES[table].record
        ]
        return max(ends, default=None)

    def since(self) -> datetime | None:
        """Time from which on every kind of use is covered by records."""
        first = {
            table: datetime.combine(moment, time())
            for table, moment in self._progress.firsts.items()
            if TABLES[table].record
        }
        first |= {table: datetime.combine(days[0].day, time()) for table, days in self._covered().items()}
        return since(first) if first else None

    def lasts(self) -> dict[str, datetime]:
        """The last event of each record table, without stray days."""
        lasts = {table: last for table, last in self._progress.lasts.items() if TABLES[table].record}
        return lasts | {table: days[-1].last for table, days in self._covered().items()}

    def _covered(self) -> dict[str, Sequence[Day]]:
        """The days that each table covers, without stray days."""
        return {
            table: without_strays([Day(day, *days[day]) for day in sorted(days)])
            for table, days in (self._progress.days or {}).items()
        }

    def coverage(self) -> Coverage | None:
        """The days covered by each table, within retention; None before the first record."""
        begin = (self._progress.horizon or LONG_AGO).date()
        known = {table: [day for day in days if day.day >= begin] for table, days in self._covered().items()}
        covered = {table: days for table, days in known.items() if days}
        if not covered:
            return None
        first = min(days[0].day for days in covered.values())
        last = max(days[-1].day for days in covered.values())
        return Coverage(first, last, {table: len(days) for table, days in covered.items()})

    def sources(self, now: datetime) -> Iterator[SourceReach]:
        """Progress of each source, ordered by name."""
        for source in sorted(self._progress.sources.values(), key=lambda s: (s.name, s.table)):
            if source.high is not None or source.records:
                yield SourceReach(
                    source.name,
                    source.table,
                    source.records,
                    source.late,
                    source.high,
                    self._complete(source),
                    self._silent(source, now),
                    source.repeated,
                )


def _key(name: str, table: str) -> str:
    return f"{name} {table}"
