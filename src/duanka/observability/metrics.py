"""Metrics, named by Prometheus conventions: base units, `_total` for counters."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from duanka.domain.streaming import BatchResult, Change, IntakeBacklog, SourceReach

_WINDOW_SECONDS = 60.0  # seconds over which records per second are averaged
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_LABELS = ("source", "table")


class Metrics:
    """All metrics, in a separate registry.

    `rules`: ids of rules; one without hits is exported as 0. `clock`: local time of the operator, as in
    events; `ticks`: monotonic seconds.
    """

    def __init__(
        self, rules: Iterable[str], clock: Callable[[], datetime], ticks: Callable[[], float]
    ) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "duanka_batch_seconds",
            "Seconds that a micro-batch took, from its records to its hits",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._quarantined = self._counter("duanka_quarantined_total", "Records set aside, with a reason")
        self._repeated = self._counter("duanka_repeated_total", "Records delivered before, not used again")
        self._ahead = self._counter("duanka_ahead_total", "Records of a clock ahead of ours, not used")
        self._hits = self._counter("duanka_hits_total", "Changes of hits, by rule and kind", "rule", "kind")
        self._pieces = self._gauge("duanka_waiting_pieces", "Files or messages that wait to be read")
        self._bytes = self._gauge("duanka_waiting_bytes", "Bytes that wait to be read, where known")
        for rule in rules:
            for kind in Change:
                self._hits.labels(rule, kind)
        self._pace = _Pace(ticks)
        self._sources = _Sources(clock)
        for collector in (self._pace, self._sources):
            self.registry.register(collector)
        ProcessCollector(registry=self.registry)

    def note(self, taken: BatchResult, waiting: IntakeBacklog) -> None:
        """Count a micro-batch."""
        self._seconds.observe(taken.seconds)
        self._quarantined.inc(taken.aside)
        self._repeated.inc(taken.repeated)
        self._ahead.inc(taken.ahead)
        for (rule, kind), changes in taken.changes.items():
            self._hits.labels(rule, kind).inc(changes)
        self._pieces.set(waiting.pieces)
        self._bytes.set(waiting.size)
        self._pace.note(taken.records)
        if taken.sources:
            self._sources.note(taken.sources)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, registry=self.registry)


class _Pace(Collector):
    """Records per second over the last minute, computed when scraped."""

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._began = ticks()
        self._noted: deque[tuple[float, int]] = deque()

    def note(self, records: int) -> None:
        now = self._ticks()
        self._noted.append((now, records))
        while self._noted[0][0] < now - _WINDOW_SECONDS:
            self._noted.popleft()

    def collect(self) -> Iterator[Metric]:
        now = self._ticks()
        recent = sum(records for at, records in tuple(self._noted) if at >= now - _WINDOW_SECONDS)
        pace = recent / min(_WINDOW_SECONDS, max(1.0, now - self._began))  # no huge rates at the start
        yield GaugeMetricFamily(
            "duanka_records_per_second", "Records taken in per second, over the last minute", value=pace
        )


class _Sources(Collector):
    """Progress of every source; the counts are the engine's and survive restarts."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._latest: tuple[SourceReach, ...] = ()

    def note(self, sources: Sequence[SourceReach]) -> None:
        self._latest = tuple(sources)

    def collect(self) -> Iterator[Metric]:
        sources, now = self._latest, self._clock()
        counter = partial(CounterMetricFamily, labels=_LABELS)
        gauge = partial(GaugeMetricFamily, labels=_LABELS)
        records = counter("duanka_records_total", "Records taken in, by source")
        late = counter("duanka_late_total", "Records behind what their source's lateness allows, not used")
        lag = gauge("duanka_lag_seconds", "Now minus the moment to which a source is complete")
        silent = gauge("duanka_source_silent", "1 where a source lags so far behind that nobody waits for it")
        for source in sources:
            of = (source.name, source.table)
            records.add_metric(of, source.records)
            late.add_metric(of, source.late)
            if source.high is not None:
                lag.add_metric(of, (now - source.complete).total_seconds())
            silent.add_metric(of, float(source.silent))
        yield from (records, late, lag, silent)
