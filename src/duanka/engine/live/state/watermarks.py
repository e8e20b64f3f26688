"""Watermarks: how far each source has come, and with them, each rule.

A source is complete to its latest event less the lateness it is allowed. A rule's "now" is what all sources of the
tables that feed it are complete to. A source that nobody has heard of for long is silent: it is reported, and holds
nobody up; what it still delivers for windows that were judged without it is late. Heard is what brings later events:
a source that delivers the same hours again and again would else hold everybody up for ever. A new source holds up who
was there before it no longer than a silent one, whatever other new ones come, until it has gone on for as long.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta

from duanka.domain.schema import TABLES
from duanka.domain.streaming import Lateness, SourceReach
from duanka.domain.take import Coverage
from duanka.engine.live.state.checkpoint import Checkpoint, SourceProgress
from duanka.engine.live.state.compiled_rule import CompiledRule
from duanka.engine.shared.coverage import Day, by_day, since, without_strays

_DAY = timedelta(days=1)
LONG_AGO = datetime(1, 1, 1)
_MOST_SOURCES = 2_000  # whoever delivers under ever new names shares one mark then
_OTHERS = "(others)/{}"


class Watermarks:
    """Reads and moves the marks in `progress`."""

    def __init__(self, progress: Checkpoint, lateness: Lateness) -> None:
        self._progress = progress
        self._lateness = lateness

    def expect(self, sources: Mapping[str, str], now: datetime) -> None:
        """Wait for these sources (name -> table) from the start, although nothing came from them yet."""
        for name, table in sources.items():
            heard = SourceProgress(name=name, table=table, heard_at=now)
            self._progress.sources.setdefault(_key(name, table), heard)

    def begin(self, now: datetime) -> None:
        """A run begins: what was not delivered while none was there is not held against the sources."""
        self._progress.held.clear()
        for source in self._progress.sources.values():
            source.heard_at = max(source.heard_at or now, now)

    def source(
        self, name: str, table: str, prepared: Collection[CompiledRule], now: datetime
    ) -> SourceProgress:
        """The progress of a source that delivers; a new one begins where the rules have come to without it."""
        found = self._known(name, table, now)
        judged = max(self._judged(table, prepared), self._progress.forgotten.get(table, LONG_AGO))
        if judged > LONG_AGO and not self._progress.history:
            # also after a silence: what was judged without it stays judged
            found.floor = judged
        found.heard_at = found.heard_at or now
        return found

    def _known(self, name: str, table: str, now: datetime) -> SourceProgress:
        sources = self._progress.sources
        if _key(name, table) not in sources and len(sources) >= _MOST_SOURCES:
            name = _OTHERS.format(table)
        joined = None if self._progress.history else now
        return sources.setdefault(_key(name, table), SourceProgress(name=name, table=table, joined_at=joined))

    @staticmethod
    def advance(source: SourceProgress, high: datetime, now: datetime) -> None:
        """Events of the source came up to `high`: it counts as heard by as much as they went on."""
        if source.high is None or source.heard_at is None:
            source.high, source.heard_at, source.begun = high, now, high
        elif high > source.high:
            source.heard_at = min(now, source.heard_at + (high - source.high))
            source.high = high

    def _judged(self, table: str, prepared: Collection[CompiledRule]) -> datetime:
        """To where rules that `table` feeds have judged."""
        marks = self._progress.marks
        return max((marks[p.id] for p in prepared if table in p.feeds and p.id in marks), default=LONG_AGO)

    def over(self, prepared: Collection[CompiledRule]) -> dict[str, datetime]:
        """By table, before when whatever a source still delivers is late; what was forgotten once stays so."""
        found: dict[str, datetime] = {}
        for source in self._progress.sources.values():
            before = max(self._complete(source), self._judged(source.table, prepared))
            found[source.table] = min(found.get(source.table, before), before)
        known = self._progress.forgotten
        return {table: max(moment, known.get(table, moment)) for table, moment in found.items()}

    def late_before(self, source: SourceProgress) -> datetime | None:
        """Events of the source before this moment come too late."""
        if self._progress.history:
            return None
        return max(self._complete(source), source.floor or LONG_AGO)

    def _complete(self, source: SourceProgress) -> datetime:
        if source.high is None:
            return source.floor or LONG_AGO
        behind = source.high - self._lateness.of(source.name) if source.high - LONG_AGO > _DAY else LONG_AGO
        if by_day(source.table):  # whole days: what lies before the start of a day cannot reach into it
            begin = datetime.combine(behind, time())
            behind = begin if begin == behind else begin + _DAY
        return max(behind, source.floor or LONG_AGO)

    def _silent(self, source: SourceProgress, now: datetime) -> bool:
        patience = self._lateness.silence_of(source.name, source.table)
        return source.heard_at is not None and now - source.heard_at > patience

    def of_rule(self, prepared: CompiledRule, now: datetime) -> datetime | None:
        """What all sources of its tables are complete to; None while nothing is known or history is read."""
        if self._progress.history:
            return None
        feeding = [s for s in self._progress.sources.values() if s.table in prepared.feeds]
        if not feeding:
            return self.latest()
        heard = self._heard(prepared, [s for s in feeding if not self._silent(s, now)], now)
        if not heard:  # all are silent: time stands still
            return self._progress.marks.get(prepared.id)
        # a source that is new holds time up; it does not turn it back
        mark = max(min(heard), self._progress.marks.get(prepared.id, LONG_AGO))
        return mark if mark > LONG_AGO else None

    def _heard(
        self, prepared: CompiledRule, sources: Sequence[SourceProgress], now: datetime
    ) -> Sequence[datetime]:
        """What the sources are complete to that hold the rule up: new ones for a while, all of them together."""
        known = [self._complete(s) for s in sources if self._proven(s, now)]
        new = [self._complete(s) for s in sources if not self._proven(s, now)]
        if not known or not new or min(new) >= min(known):
            self._progress.held.pop(prepared.id, None)
            return [*known, *new]
        since = self._progress.held.setdefault(prepared.id, now)
        return known if now - since > self._lateness.silent else [*known, *new]

    def _proven(self, source: SourceProgress, now: datetime) -> bool:
        """Whether a source was there from the start, or has gone on since for as long as others wait for it."""
        if source.joined_at is None:
            return True
        patience = self._lateness.silence_of(source.name, source.table)
        went_on = source.high - source.begun if source.high and source.begun else timedelta()
        return went_on >= patience and now - source.joined_at >= patience

    def latest(self) -> datetime | None:
        """The latest event of all: what rules that fire at once take for now."""
        ends = [end_of(table, last) for table, last in self._progress.lasts.items() if TABLES[table].record]
        return max(ends, default=None)

    def since(self) -> datetime | None:
        """From here on every kind of use is in the records."""
        first = {
            table: datetime.combine(moment, time())
            for table, moment in self._progress.firsts.items()
            if TABLES[table].record
        }
        first |= {table: datetime.combine(days[0].day, time()) for table, days in self._covered().items()}
        return since(first) if first else None

    def lasts(self) -> dict[str, datetime]:
        """The last event of each record table, but for days of a wrong clock."""
        lasts = {table: last for table, last in self._progress.lasts.items() if TABLES[table].record}
        return lasts | {table: days[-1].last for table, days in self._covered().items()}

    def _covered(self) -> dict[str, Sequence[Day]]:
        """The days that the records of each table cover; a few records of a wrong clock begin and end nothing."""
        return {
            table: without_strays([Day(day, *days[day]) for day in sorted(days)])
            for table, days in (self._progress.days or {}).items()
        }

    def coverage(self) -> Coverage | None:
        """The days that the records of each table cover and that are not forgotten; None before the first record."""
        begin = (self._progress.horizon or LONG_AGO).date()
        known = {table: [day for day in days if day.day >= begin] for table, days in self._covered().items()}
        covered = {table: days for table, days in known.items() if days}
        if not covered:
            return None
        first = min(days[0].day for days in covered.values())
        last = max(days[-1].day for days in covered.values())
        return Coverage(first, last, {table: len(days) for table, days in covered.items()})

    def sources(self, now: datetime) -> Iterator[SourceReach]:
        """How far each source has come."""
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
                )


def _key(name: str, table: str) -> str:
    return f"{name} {table}"


def end_of(table: str, last: datetime) -> datetime:
    """The end of what an event says: the moment itself, the whole day for a day's total."""
    return last + _DAY if by_day(table) else last
