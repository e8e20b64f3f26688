"""Types between intake, live engine and observers: micro-batches, changes of hits.

Each record counts once. `Batch.positions`: how far every origin (file, stream) is read, this batch included.
The engine commits them with the state in one transaction, and after a restart intake continues from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from duanka.domain.rule import Hit
from duanka.domain.text import WordedEnum


class Columnar(Protocol):
    """An in-memory table with Arrow's C stream interface: pyarrow, polars, DuckDB."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the stream of rows."""


@dataclass(frozen=True)
class BatchPart:
    """Rows of one canonical table from one origin.

    `rows`: the canonical columns of `table` (keyed ones as record keys), then `line` (int64), its position in `origin`
    from 1, and `same` (uint64), a hash that identifies a repeated delivery. `source`: the deliverer, such as "calls" or
    "msc-2/calls"; watermarks are kept by source and table.
    """

    table: str
    source: str
    origin: str
    rows: Columnar


@dataclass(frozen=True)
class SetAside:
    """A row of `quarantine.parquet`; `records`: how many records it stands for."""

    file: str
    line: int | None
    column: str
    reason: str
    raw: str
    records: int = 1


@dataclass(frozen=True)
class Batch:
    """A micro-batch of `records`; those in `aside` are quarantined. Empty: time has passed.

    `texts`: texts of hashed record keys in it (key, text).
    """

    pieces: tuple[BatchPart, ...] = ()
    aside: tuple[SetAside, ...] = ()
    positions: Mapping[str, int] = field(default_factory=dict)
    records: int = 0
    texts: Columnar | None = None

    @property
    def rejected(self) -> int:
        """Number of quarantined records."""
        return sum(one.records for one in self.aside)


@dataclass(frozen=True)
class IntakeBacklog:
    """Input that intake has not handed on: files or messages (`pieces`), and bytes (`size`) where known.

    `stalled`: seconds since intake last read something or found nothing waiting; small in normal operation.
    `backlog`: how many of `pieces` were already there at the start; None while unknown.
    """

    pieces: int = 0
    size: int = 0
    stalled: float = 0.0
    backlog: int | None = None


GONE = -(1 << 62)
"""Position of an origin that cannot return, such as an archived file; may be dropped."""


def finished(records: int) -> int:
    """Return the position (< 0) of a fully read origin; that of an open one is its records read."""
    return -1 - records


class Feed(Protocol):
    """A source of live records.

    Positions are stored as they are, whatever their value, also those of an empty batch: `finished(n)` marks a fully
    read origin, GONE one that may be dropped. Names of origins begin with the feed's name and a colon, so that the
    feeds of one engine do not confuse theirs.
    """

    def batches(self, done: Mapping[str, int]) -> Iterator[Batch]:
        """Yield batches after `done` (origin -> position); empty ones when idle.

        A batch comes every few seconds at least. Ends when the feed is stopped, or when everything present is
        read if it was told not to wait.
        """

    def settled(self, positions: Mapping[str, int]) -> None:
        """Acknowledge committed input up to `positions`: archive files, ack messages."""

    def waiting(self) -> IntakeBacklog:
        """Return how much input waits."""

    def stop(self) -> None:
        """Make `batches` end soon."""


class Change(WordedEnum):
    """What happened to a hit."""

    RAISED = "raised", "新增命中"
    REVISED = "revised", "证据更新"  # same card, rule and time; more evidence
    REVOKED = "revoked", "撤销命中"  # later records cleared the card


@dataclass(frozen=True)
class HitChange:
    """A change of one hit; `seq` counts from 1. `hit`: its present or last state."""

    seq: int
    kind: Change
    hit: Hit


@dataclass(frozen=True)
class SourceReach:
    """Progress of a source. `complete`: its watermark, to which its records are complete.

    `high`: its latest event time; None if everything it delivered was late or ahead of our clock. `silent`: it lags
    behind the others by more than the allowed time. `repeated`: records that any source delivered before.
    """

    name: str
    table: str
    records: int
    late: int
    high: datetime | None
    complete: datetime
    silent: bool = False
    repeated: int = 0

    @property
    def is_copy(self) -> bool:
        """Whether nothing it delivered was new, as from a folder of earlier days that was put there again."""
        return 0 < self.repeated >= self.records - self.late


@dataclass(frozen=True)
class BatchResult:
    """Result of a micro-batch: records == used + aside + late + repeated + ahead.

    `late`: beyond the source's lateness; `repeated`: delivered before; `ahead`: of a time that has not come.
    `changes`: (rule, kind) -> number of hit changes. Durations in seconds.
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
    """Why the live engine quarantines a record that intake could parse."""

    LATE = "too late", "来得太晚"  # beyond the source's lateness: its windows are closed
    REPEATED = "delivered twice", "重复交付"  # delivered before
    AHEAD = "ahead of the clock", "时间超前"  # its time is after our clock


_DAILY_LATENESS = timedelta(hours=48)  # data volumes are delivered daily


@dataclass(frozen=True)
class Lateness:
    """Lateness allowed to each source: how far a record may lie behind the latest one.

    `silent`: time without a delivery after which a source no longer holds back the watermark. `ahead`: tolerance for
    a source's clock that runs ahead of ours.
    """

    default: timedelta = timedelta(hours=2)
    by_source: Mapping[str, timedelta] = field(default_factory=dict)
    silent: timedelta = timedelta(hours=6)
    ahead: timedelta = timedelta(hours=1)

    def of(self, source: str) -> timedelta:
        """Return the lateness allowed for `source`."""
        return self.by_source.get(source, self.default)

    def silence_of(self, source: str, table: str) -> timedelta:
        """Return the time without a delivery after which `source` counts as silent."""
        del source
        return max(self.silent, _DAILY_LATENESS) if table == "data_days" else self.silent


class LiveObserver(Protocol):
    """Observer for metrics and health."""

    def note(self, taken: BatchResult, waiting: IntakeBacklog) -> None:
        """Record a processed micro-batch."""
