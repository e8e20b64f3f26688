"""What passes between intake, the live engine and those who watch: micro-batches, and hits that come and go.

A record counts once. `Batch.positions` says how far every origin (a file, a stream) is read once the batch is in;
the engine keeps it with the state, in one transaction, and intake goes on behind it after a restart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from duanka.domain.rule import Hit
from duanka.domain.text import WordedEnum


class Columnar(Protocol):
    """A table in memory that Arrow's C stream interface hands on: pyarrow, polars, DuckDB."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Hand the rows on."""


@dataclass(frozen=True)
class BatchPart:
    """Rows of one canonical table out of one origin.

    `rows`: exactly the canonical columns of `table`, and behind them `line` (int64), its place in `origin` from 1,
    and `same` (uint64), a hash by which a record delivered again is known.
    `source`: who delivers it, for example "calls" or "msc-2/calls"; watermarks are kept by source and table.
    """

    table: str
    source: str
    origin: str
    rows: Columnar


@dataclass(frozen=True)
class SetAside:
    """A record that is not used, as `quarantine.parquet` shows it; `records`: how many it stands for."""

    file: str
    line: int | None
    column: str
    reason: str
    raw: str
    records: int = 1


@dataclass(frozen=True)
class Batch:
    """A micro-batch. `records` came in; those in `aside` never became rows. An empty one marks that time passed."""

    pieces: tuple[BatchPart, ...] = ()
    aside: tuple[SetAside, ...] = ()
    positions: Mapping[str, int] = field(default_factory=dict)
    records: int = 0

    @property
    def rejected(self) -> int:
        """Records that never became rows."""
        return sum(one.records for one in self.aside)


@dataclass(frozen=True)
class IntakeBacklog:
    """What intake has not handed on yet: files or messages, and bytes where known.

    `stalled`: seconds since intake last read something or saw that nothing is there; small while all is well.
    `backlog`: pieces of what was there at the start and can be read; None while that is not known yet.
    """

    pieces: int = 0
    size: int = 0
    stalled: float = 0.0
    backlog: int | None = None


GONE = -(1 << 62)
"""The position of an origin that cannot come again, such as a file put away: whoever keeps positions may drop it."""


def finished(records: int) -> int:
    """The position of an origin read to its end: below zero. That of an open one is the records read so far."""
    return -1 - records


class Feed(Protocol):
    """Where live records come from.

    Positions are kept as they stand, whatever their value, also those of a batch without records: `finished(n)`
    marks an origin that is read to its end, GONE one that need not be kept any longer. An origin begins with the
    name of its feed and a colon, so that the feeds of one engine do not take each other's for their own.
    """

    def batches(self, done: Mapping[str, int]) -> Iterator[Batch]:
        """Yield what comes, behind `done` (origin -> position); at least every few seconds, if empty.

        Ends when the feed was told to stop, or with all that was there read where it was told not to wait.
        """

    def settled(self, positions: Mapping[str, int]) -> None:
        """What was handed on up to `positions` is committed: files may be put away, messages acknowledged."""

    def waiting(self) -> IntakeBacklog:
        """How much waits."""

    def stop(self) -> None:
        """End `batches` soon."""


class Change(WordedEnum):
    """What became of a hit."""

    RAISED = "raised", "新增命中"
    REVISED = "revised", "证据更新"  # the same card, rule and time; the evidence grew
    REVOKED = "revoked", "撤销命中"  # what came later spared the card


@dataclass(frozen=True)
class HitChange:
    """A change of one hit; `seq` counts all of them from 1. `hit` is as it stands now, or stood."""

    seq: int
    kind: Change
    hit: Hit


@dataclass(frozen=True)
class SourceReach:
    """How far a source has come. `complete`: nothing before it may still come.

    `high`: its latest event in time, None where all that it delivered was too late or ahead of our clock.

    `silent`: it lags behind the others by more than the policy of the desk allows.
    """

    name: str
    table: str
    records: int
    late: int
    high: datetime | None
    complete: datetime
    silent: bool = False


@dataclass(frozen=True)
class BatchResult:
    """What one micro-batch did: records == used + aside + late + repeated + ahead. Seconds by the clock.

    `late`: behind what the source's lateness allows; `repeated`: delivered before; `ahead`: of a clock ahead of ours.
    `changes` of hits by (rule, kind).
    """

    records: int = 0
    used: int = 0
    aside: int = 0
    late: int = 0
    repeated: int = 0
    ahead: int = 0
    seconds: float = 0.0
    judged: bool = False
    changes: Mapping[tuple[str, Change], int] = field(default_factory=dict)
    sources: tuple[SourceReach, ...] = ()


class LiveReason(WordedEnum):
    """Why the live engine sets a record aside that intake could read."""

    LATE = "too late", "来得太晚"  # behind what its source's lateness allows: its windows are judged
    REPEATED = "delivered twice", "重复交付"  # delivered before
    AHEAD = "ahead of the clock", "时间超前"  # of a time that has not come


_DAILY = timedelta(hours=48)  # data volumes come once a day


@dataclass(frozen=True)
class Lateness:
    """How long records may come after later ones, by source; `silent`: after so long a source holds nobody up.

    `ahead`: how far a source's clock may run before ours.
    """

    default: timedelta = timedelta(hours=2)
    by_source: Mapping[str, timedelta] = field(default_factory=dict)
    silent: timedelta = timedelta(hours=6)
    ahead: timedelta = timedelta(hours=1)

    def of(self, source: str) -> timedelta:
        """The lateness that `source` is allowed."""
        return self.by_source.get(source, self.default)

    def silence_of(self, source: str, table: str) -> timedelta:
        """After how long without a delivery `source` is silent."""
        del source
        return max(self.silent, _DAILY) if table == "data_days" else self.silent


class LiveObserver(Protocol):
    """Told how it goes: metrics and health."""

    def note(self, taken: BatchResult, waiting: IntakeBacklog) -> None:
        """A micro-batch is in."""
