"""Supervised parts of `serve`: records, decisions, online checks, API, health."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from duanka.api import create_api
from duanka.api.http.client_addresses import TrustedProxies
from duanka.api.server import listening_socket, make_server, server_address
from duanka.application.online_verification import OnlineVerification
from duanka.application.supervision import Running, Supervisor
from duanka.bootstrap import identity as app_identity
from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.health import (
    DutyWatch,
    HealthMonitor,
    OrderMetrics,
    PartAlarms,
    RecordsPulse,
    metrics_text,
)
from duanka.bootstrap.live import LiveOutcome, LiveRun, Several, check_source, live
from duanka.bootstrap.orders import OrderDesk
from duanka.bootstrap.settings import Settings
from duanka.bootstrap.sign_in.provider import identity_provider_of
from duanka.decision_log.reader import DecisionFile
from duanka.domain.errors import DuankaError
from duanka.domain.local_time import OperatorZone
from duanka.domain.policy import Policy
from duanka.domain.streaming import BatchResult, IntakeBacklog
from duanka.domain.streaming import LiveObserver as RecordsWatch
from duanka.domain.text import BilingualText
from duanka.ledger.audit.kept_end import KeptEnds
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.monitoring.clock_guard import ClockGuard
from duanka.observability.metrics import Metrics
from duanka.orders.intake.decisions import DecisionIntake
from duanka.rules import RULES

POLL_SECONDS = 0.2  # polling interval for a file of decisions
HELD_SECONDS = 1.0  # interval of checks for a restored backup
NO_MESSAGE_CENTRE = "notices wait: no message centre (DUANKA_MESSAGE_CENTRE)"
OPENS_WITHIN_SECONDS = 60.0  # timeout for starting the face-check workers


@dataclass(frozen=True)
class Supervision:
    """Supervisor, duty failures and clock guard of one process."""

    supervisor: Supervisor
    duties: DutyWatch
    guard: ClockGuard


@dataclass(frozen=True)
class _Works:
    """A `LiveObserver` that reports its part as healthy at each micro-batch."""

    running: Running

    def note(self, taken: BatchResult, waiting: IntakeBacklog) -> None:
        """Report the part as healthy."""
        del taken, waiting
        self.running.works()


@dataclass
class _UnacceptedRestore:
    """Whether a restored backup is not yet accepted: it lacks what became of later decisions."""

    ends: KeptEnds
    _looked: tuple[float, bool] | None = None

    def __call__(self) -> bool:
        now = time.monotonic()
        if self._looked is None or now - self._looked[0] > HELD_SECONDS:
            self._looked = now, self.ends.is_ahead
        return self._looked[1]


def not_set_up(settings: Settings) -> tuple[str, ...]:
    """Features of `serve` that are not configured, with what waits for them."""
    return () if settings.message_centre else (NO_MESSAGE_CENTRE,)


class ServeParts:
    """The parts of `serve` beside the worker. `outcome`: of the live run, once it has ended."""

    def __init__(
        self, settings: Settings, policy: Policy, here: OrderDesk, say: Callable[[str | BilingualText], None]
    ) -> None:
        self._settings, self._here, self._say = settings, here, say
        alarms = AlarmService(here.store, say, timedelta(minutes=policy.orders.alarm_minutes))
        guard = ClockGuard(here.store, alarms, app_orders.now)
        guard.start()
        supervisor = Supervisor(PartAlarms(alarms, say, app_orders.now), time.monotonic)
        self.supervision = Supervision(supervisor, DutyWatch(alarms, app_orders.now), guard)
        self.outcome: LiveOutcome | None = None
        self._zone = OperatorZone(policy.orders.zone)
        self._pulse = RecordsPulse()
        self._health = HealthMonitor(
            here.store,
            supervisor,
            self.supervision.duties,
            app_orders.now,
            guard=guard,
            wants=not_set_up(settings),
        )
        registry = CollectorRegistry()
        registry.register(OrderMetrics(self._health))
        self._registries = [registry]
        self._online: OnlineVerification | None = None
        self._provider = identity_provider_of(settings)

    def watch_health(self) -> None:
        """Check the database and the clock every few seconds."""
        self._health.look()
        self._start("health", lambda running: self._health.run(running.stopping))

    def follow_records(self, records: LiveRun, watch: RecordsWatch) -> None:
        """Process records as `duanka live` does. DuankaError: the source is misconfigured."""
        check_source(records)
        metrics = Metrics([rule.id for rule in RULES], self._zone.now, time.monotonic)
        self._registries.append(metrics.registry)
        self._health.follow(self._pulse)

        def run(running: Running) -> None:
            @contextlib.contextmanager
            def ending(stop: Callable[[], object], _: Callable[[], None]) -> Iterator[None]:
                running.on_stop(stop)
                yield

            watches = Several([watch, self._pulse, metrics, _Works(running)])
            self.outcome = live(self._settings, records, watches, self._say, ending)

        self._start("records", run)

    def follow_decisions(self, folder: Path) -> None:
        """Take decisions from a folder as they are written."""

        def run(running: Running) -> None:
            decisions = DecisionFile(folder, self._here.decision_key)
            intake = DecisionIntake(self._here.orders, decisions, app_orders.signers(self._here.case_sources))
            held = _UnacceptedRestore(self._here.ends)
            while not running.stopping.is_set():
                if not held() and intake.take(app_orders.now()):
                    continue
                running.works()
                running.stopping.wait(POLL_SECONDS)

        self._start(f"decisions of {folder}", run)

    def verify_online(self) -> None:
        """Run online checks, if set up; while they fail, counters verify. DuankaError: invalid settings."""
        if not self._settings.face:
            return
        opened, wrong = threading.Event(), list[DuankaError]()

        def run(running: Running) -> None:
            try:
                with app_identity.verification(self._settings, self._here) as online:
                    self._online = online
                    opened.set()
                    running.stopping.wait()
            except DuankaError as error:
                if not opened.is_set():
                    wrong.append(error)
                raise
            finally:
                self._online = None
                opened.set()

        self._start("online checks", run)
        opened.wait(OPENS_WITHIN_SECONDS)
        if wrong:
            raise wrong[0]

    def listen(self, host: str, port: int, trusted_proxies: str) -> str:
        """Serve the API; returns the HOST:PORT it listens at. DuankaError: the address cannot be bound."""
        trusted = TrustedProxies(trusted_proxies)
        held = contextlib.ExitStack()
        first = held.enter_context(listening_socket(host, port))
        bound = int(first.getsockname()[1])
        unused: list[tuple[contextlib.ExitStack, socket.socket]] = [(held, first)]
        made = [self._api()]  # takes 1 s; built before the address is announced

        def run(running: Running) -> None:
            if not unused:
                again = contextlib.ExitStack()
                unused.append((again, again.enter_context(listening_socket(host, bound))))
            holder, listening = unused.pop()
            with holder:
                server = make_server(made.pop() if made else self._api(), trusted)
                running.on_stop(lambda: setattr(server, "should_exit", True))
                server.run([listening])

        self._start("api", run)
        return server_address(host, first)

    def _api(self) -> FastAPI:
        return create_api(
            self._here,
            online=lambda: self._online,
            health=self._health.state,
            metrics=metrics_text(*self._registries),
            provider=self._provider,
        )

    def _start(self, name: str, work: Callable[[Running], object]) -> None:
        self.supervision.supervisor.start(name, work)
