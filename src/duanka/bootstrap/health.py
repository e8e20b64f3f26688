"""Health and metrics of `duanka serve`: parts, duties, records, database, backlog."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from duanka.application.supervision import PartState, Supervisor
from duanka.domain.streaming import BatchResult, IntakeBacklog
from duanka.ledger.db.database import Store
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.monitoring.clock_guard import ClockGuard
from duanka.ledger.monitoring.isolation import in_one_line
from duanka.orders.monitoring.backlog import Backlog, backlog, probe_writing

PROBE_SECONDS = 5.0
_STALE_SECONDS = 30.0  # maximum age of the last database check
_QUIET_SECONDS = 300.0  # maximum time without a micro-batch, even an empty one
_MIN_FAILURES = 3  # consecutive failures after which a duty counts as failing


@dataclass(frozen=True)
class HealthState:
    """Content of `GET /health`. Holds no figures and no secrets.

    `reasons`: what does not work; `wants`: what is not configured although work waits for it. Both are empty
    where the installation is healthy.
    """

    reasons: tuple[str, ...]
    database: bool
    wants: tuple[str, ...] = ()

    @property
    def up(self) -> bool:
        """Whether everything works."""
        return not self.reasons


class DutyWatch:
    """Counts failures of the worker's duties, and raises and clears an alarm for each."""

    def __init__(self, alarms: AlarmService, clock: Callable[[], datetime]) -> None:
        self._alarms, self._clock = alarms, clock
        self._failing: dict[str, tuple[int, datetime]] = {}  # duty -> (failures in a row, time of the first)
        self.failures: dict[str, int] = {}  # duty -> failures since the start

    def succeeded(self, duty: str, seconds: float) -> None:
        """Record a success and clear the alarm of the duty."""
        del seconds
        if self._failing.pop(duty, None):
            self._alarms.working(f"duty {duty}", self._clock())

    def failed(self, duty: str, error: BaseException) -> None:
        """Record a failure; the alarm is raised once the duty has failed for long enough."""
        now = self._clock()
        count, since = self._failing.get(duty, (0, now))
        self._failing[duty] = count + 1, since
        self.failures[duty] = self.failures.get(duty, 0) + 1
        detail = f"后台任务{duty}失败 / the duty {duty} of the worker fails: {in_one_line(error)}"
        self._alarms.follow(f"duty {duty}", since, detail, now)

    def failing(self) -> list[str]:
        """The duties with at least _MIN_FAILURES consecutive failures."""
        return sorted(duty for duty, (count, _) in tuple(self._failing.items()) if count >= _MIN_FAILURES)


class PartAlarms:
    """A `supervision.Listener` that logs and raises an alarm for each part that fails."""

    def __init__(
        self, alarms: AlarmService, say: Callable[[str], None], clock: Callable[[], datetime]
    ) -> None:
        self._alarms, self._say, self._clock = alarms, say, clock

    def failed(self, part: str, error: BaseException) -> None:
        """Log the failure and raise the alarm. Without a database only the log line remains."""
        said = in_one_line(error)
        with suppress(Exception):
            self._say(f"{part}: {said}; it is started again")
        detail = f"程序部件{part}故障，正在重启 / {part} failed and is started again: {said}"
        self._alarms.raise_now(f"part {part}", self._clock(), detail)

    def works(self, part: str) -> None:
        """Clear the alarm."""
        self._alarms.working(f"part {part}", self._clock())


class RecordsPulse:
    """A `LiveObserver` that remembers when the last micro-batch arrived."""

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks, self._at = ticks, ticks()

    def note(self, taken: BatchResult, waiting: IntakeBacklog) -> None:
        """Record the arrival of a micro-batch."""
        del taken, waiting
        self._at = self._ticks()

    def silent_seconds(self) -> float:
        """Seconds since the last micro-batch, or since the start."""
        return self._ticks() - self._at


class HealthMonitor:
    """Checks the database every few seconds (`run`), and reports health at any time."""

    def __init__(
        self,
        store: Store,
        supervisor: Supervisor,
        duties: DutyWatch,
        clock: Callable[[], datetime],
        *,
        guard: ClockGuard | None = None,
        wants: tuple[str, ...] = (),
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wants = wants
        self._store, self._supervisor, self._duties = store, supervisor, duties
        self._clock, self._guard, self._ticks = clock, guard, ticks
        self._records: RecordsPulse | None = None
        self._looked: tuple[float, str] = (ticks(), "")
        self._backlog = Backlog()

    def follow(self, records: RecordsPulse) -> None:
        """From now on, report missing micro-batches."""
        self._records = records

    def run(self, stopping: threading.Event) -> None:
        """Check every PROBE_SECONDS until told to stop."""
        while True:
            self.look()
            if stopping.wait(PROBE_SECONDS):
                return

    def look(self) -> None:
        """Test a write, check the database schema, count pending work, check the clock."""
        reason = ""
        now = self._clock()
        try:
            probe_writing(self._store, now)
            self._store.check()
            self._backlog = backlog(self._store, now)
        except Exception as error:
            reason = f"database: {type(error).__name__}"
        with suppress(Exception):
            if self._guard:
                self._guard.check()
        self._looked = self._ticks(), reason

    def backlog(self) -> Backlog:
        """Pending work as of the last check."""
        return self._backlog

    def parts(self) -> tuple[PartState, ...]:
        """State of each part of the process."""
        return self._supervisor.states()

    def duty_failures(self) -> dict[str, int]:
        """Duty -> failures since the start."""
        return dict(self._duties.failures)

    def state(self) -> HealthState:
        """Health as of now."""
        looked_at, database = self._looked
        since = self._ticks() - looked_at
        reasons = [database] if database else []
        if since > _STALE_SECONDS:
            reasons.append(f"database: nobody could look at it for {since:.0f} s")
        reasons += [f"part {p.name} fails" for p in self.parts() if p.failing or not p.alive]
        reasons += [f"worker: {duty} fails" for duty in self._duties.failing()]
        reasons += [f"alarm: {source}" for source in self._backlog.alarms if _is_ours(source)]
        if self._guard and self._guard.holds:
            reasons.append("clock: it jumped or is not to be trusted; nothing is restricted by it")
        if self._records and self._records.silent_seconds() > _QUIET_SECONDS:
            reasons.append(f"records: no micro-batch for {self._records.silent_seconds():.0f} s")
        database_up = not database and since <= _STALE_SECONDS
        return HealthState(tuple(dict.fromkeys(reasons)), database_up, self._wants)


def _is_ours(source: str) -> bool:
    """Whether an alarm is about a component: element, message centre, trail; not about single rows."""
    return source.endswith(("_register", "_proxy", "_centre", " refuses")) or source == "audit trail"


class OrderMetrics(Collector):
    """Prometheus collector of pending orders and part states, as of the last check."""

    def __init__(self, health: HealthMonitor) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        found = self._health.backlog()
        yield _by(("kind", "state"), "duanka_open_orders", "Open orders", found.open_orders)
        yield _one("duanka_overdue_orders", "Open orders whose deadline has passed", found.overdue)
        yield _one("duanka_reviews_waiting", "Checks that wait for a reviewer", found.reviews)
        yield _by(("state",), "duanka_restricted_cards", "Cards that are restricted", found.restricted)
        waiting = "Changes that an element was not told yet"
        yield _by(("element",), "duanka_element_waiting", waiting, found.outbox)
        tried = "Of these, how many were tried in vain"
        yield _by(("element",), "duanka_element_tried_in_vain", tried, found.outbox_tried)
        oldest = "Seconds since the oldest of these was decided"
        yield _by(("element",), "duanka_element_oldest_seconds", oldest, found.outbox_oldest)
        yield _one("duanka_notices_waiting", "Notices that were not handed in yet", found.notices)
        yield _one("duanka_notices_tried_in_vain", tried, found.notices_tried)
        yield _one("duanka_notices_oldest_seconds", "Seconds since the oldest of these", found.notices_oldest)
        yield _one("duanka_open_alarms", "Alarms that are open", len(found.alarms))
        parts = self._health.parts()
        up = {part.name: float(part.alive and not part.failing) for part in parts}
        yield _by(("part",), "duanka_part_up", "1 where a part of the process works", up)
        again, restarts = "Restarts of a part since the start", {part.name: part.restarts for part in parts}
        yield _by(("part",), "duanka_part_restarts_total", again, restarts, CounterMetricFamily)
        failed = "Failures of a duty of the worker since the start"
        failures = self._health.duty_failures()
        yield _by(("duty",), "duanka_duty_failures_total", failed, failures, CounterMetricFamily)
        yield _one("duanka_up", "1 where GET /health answers 200", float(self._health.state().up))


def metrics_text(*registries: CollectorRegistry) -> Callable[[], bytes]:
    """Renderer of /metrics: the registries concatenated in Prometheus text format."""
    from prometheus_client import generate_latest  # noqa: PLC0415  # only `serve` needs it

    return lambda: b"".join(generate_latest(registry) for registry in registries)


def _one(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)


def _by(
    labels: tuple[str, ...],
    name: str,
    meaning: str,
    values: Mapping[Any, float],
    kind: type[GaugeMetricFamily] | type[CounterMetricFamily] = GaugeMetricFamily,
) -> Metric:
    family = kind(name, meaning, labels=labels)
    for key, value in values.items():
        family.add_metric((key,) if isinstance(key, str) else key, value)
    return family
