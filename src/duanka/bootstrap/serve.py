"""Wires `duanka serve`: network elements, message centre, worker, API, intake."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from duanka.application.enforcement_worker import Enforcement, Enforcing
from duanka.application.supervision import Running, Supervisor
from duanka.bootstrap import identity as app_identity
from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.casework.accounts import account_duties
from duanka.bootstrap.casework.victims import victim_duties
from duanka.bootstrap.live import LiveOutcome, LiveRun
from duanka.bootstrap.order_resources import (
    CALL_PROXY,
    HOME_REGISTER,
    MESSAGE_PROXY,
    elements_of,
    register_ports,
)
from duanka.bootstrap.orders import OrderDesk
from duanka.bootstrap.serve_parts import ServeParts, Supervision, not_set_up
from duanka.bootstrap.settings import Settings
from duanka.bootstrap.signals import stopped_by_signals
from duanka.decision_log.reader import DecisionFile
from duanka.domain.errors import DuankaError
from duanka.domain.network import Element, ServicesBefore
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.policy import Policy
from duanka.domain.streaming import LiveObserver as RecordsWatch
from duanka.domain.text import BilingualText
from duanka.ledger.audit.kept_end import TrailGuard
from duanka.ledger.card_services import CardServices
from duanka.ledger.figures.counted import CountedEvents
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.network.hlr.element import SERVICES, HomeRegister
from duanka.network.hlr.services_file import ServicesFile
from duanka.network.notices.sender import ShortMessageCentre
from duanka.network.sip.element import CallProxy
from duanka.network.sms.element import MessageProxy
from duanka.orders.dispatch.element_worker import ElementDispatcher
from duanka.orders.dispatch.notice_texts import writing
from duanka.orders.dispatch.notice_worker import NoticeDispatcher
from duanka.orders.dispatch.outbox import Outbox, PendingWorkProbe
from duanka.orders.dispatch.receipts import OtherReceipts
from duanka.orders.monitoring.kept_lists import KeptListWatch
from duanka.orders.monitoring.objections_due import ObjectionsDue
from duanka.orders.monitoring.old_refusals import OldRefusals
from duanka.orders.monitoring.reconciliation import ChangeLimit, Reconciling
from duanka.orders.monitoring.refusals import RefusalCollector
from duanka.orders.monitoring.waiting import WaitingOrders


@dataclass(frozen=True)
class Serving:
    """Options of `serve`. `decisions`: folders of other scans and live runs; `records`: its own live run."""

    host: str = "127.0.0.1"
    port: int = 8080
    decisions: tuple[Path, ...] = ()
    records: LiveRun | None = None
    trusted_proxies: str = ""


@contextlib.contextmanager
def working(
    here: OrderDesk,
    policy: OrderPolicy,
    network: Network,
    say: Callable[[str], None],
    clock: Callable[[], datetime] = app_orders.now,
    supervision: Supervision | None = None,
) -> Iterator[Enforcing]:
    """Run a worker in its own thread until the context ends.

    The worker then finishes what is in hand. `supervision`: restarts the worker, observes its failures and
    guards the clock; without it, the thread runs alone.
    """
    worker = f"{socket.gethostname()[:24]}-{os.getpid()}-{threading.get_ident() % 10_000}"
    network.join(here, clock())
    alarms = AlarmService(here.store, say, timedelta(minutes=policy.alarm_minutes))
    here.orders.set_aside = alarms.set_aside
    guard = TrailGuard(here.ends, alarms)
    guard.check(clock())  # before the first duty, so that a restored backup causes no action
    clocks = supervision.guard if supervision else None
    within = timedelta(hours=policy.review_within)
    watches = WaitingOrders(here.store, alarms, within), ObjectionsDue(here.store, alarms, policy)

    def sweep(now: datetime, limit: int) -> int:
        for one in watches:
            one.watch(now)
        return here.orders.sweep(now, limit, restrict=not (clocks and clocks.check()))

    def dispatcher(element: Element) -> ElementDispatcher:
        outbox = Outbox(here.store, element.name, worker, held_since=lambda: guard.held_since)
        return ElementDispatcher(outbox, element, alarms)

    # each duty has its own connection to an element, so that none waits for another
    def made() -> Enforcing:
        search, sender = here.casework.victims.search, network.message_centre(receives=False)
        victims = victim_duties(search, here.attached_store.opened, alarms, worker, sender)
        accounts = account_duties(here.casework.accounts, alarms, worker, say, network.message_filters)
        parts = Enforcement(
            sweep=sweep,
            carry_out=here.bulk_actions.carry_out,
            elements={one.name: dispatcher(one) for one in network.elements()},
            look=PendingWorkProbe(here.store, network.addresses),
            clock=clock,
            ticks=time.monotonic,
            say=say,
            notices=_notices(here, policy, worker, network.message_centre(), alarms, victims.receipts.take),
            refusals=_collectors(here, network, alarms),
            compared=_comparisons(here, policy, network.elements(), alarms),
            compare_every=policy.reconcile_minutes * 60,
            lists=[KeptListWatch(one, alarms) for one in network.proxies()],
            purge=_purge(here),
            move_refusals=OldRefusals(here.store, here.attached_store.archive).move,
            guard=guard,
            write_passes=here.pass_list.write_changed,
            find_victims=victims.watch.work,
            warnings=victims.warnings,
            accounts=accounts,
            count_figures=CountedEvents(here.store).follow,
            watch=supervision.duties if supervision else None,
        )
        enforcing = Enforcing(parts)
        here.orders.wake = enforcing.wake  # work queued by any transaction starts at once
        return enforcing

    first = [made()]  # configuration errors surface at the start

    def run(running: Running) -> None:
        enforcing = first.pop() if first else made()
        running.on_stop(enforcing.stop)
        enforcing.run()

    enforcing = first[0]
    supervisor = supervision.supervisor if supervision else Supervisor(_Silent(), time.monotonic)
    supervisor.start("worker", run)
    try:
        yield enforcing
    finally:
        supervisor.end("worker")
        with contextlib.suppress(Exception):  # copy the end of the trail; the next start does if this fails
            guard.check(clock())


def _notices(
    here: OrderDesk,
    policy: OrderPolicy,
    worker: str,
    centre: ShortMessageCentre | None,
    alarms: AlarmService,
    others: OtherReceipts,
) -> NoticeDispatcher | None:
    """The dispatcher of notices to holders; None: no message centre."""
    if centre is None:
        return None
    return NoticeDispatcher(here.orders, worker, centre, writing(policy, here.links), alarms, others)


def _collectors(here: OrderDesk, network: Network, alarms: AlarmService) -> list[RefusalCollector]:
    """What records the refusals of each proxy."""
    archive = here.attached_store.archive
    return [RefusalCollector(here.store, one, alarms, archive) for one in network.proxies()]


def _comparisons(
    here: OrderDesk, policy: OrderPolicy, elements: Sequence[Element], alarms: AlarmService
) -> list[Reconciling]:
    """The comparison of each element with the order database."""
    limit = ChangeLimit(policy.reconcile_max)
    return [Reconciling(here.store, here.trail, one, alarms=alarms, limit=limit) for one in elements]


def _purge(here: OrderDesk) -> Callable[[datetime], int]:
    """What deletes data past its retention: pictures of holders, victims, the police's files of clues."""

    def purge(now: datetime) -> int:
        casework = here.casework
        return (
            here.checks.purge(now) + casework.victims.retention.purge(now) + casework.clues.files.purge(now)
        )

    return purge


class Network:
    """Makes elements anew at each call. `addresses`: from the settings; after `join`, the order database's."""

    def __init__(self, settings: Settings, short_code: str = "10086") -> None:
        self._settings, self._short_code = settings, short_code
        self.addresses = elements_of(settings)
        self._services: ServicesBefore = ServicesFile(settings.orders / SERVICES)

    def join(self, here: OrderDesk, now: datetime) -> None:
        """Use the elements of the order database; settings add those it never had."""
        self.addresses = here.elements.take_over(self.addresses, now)
        self._services = CardServices(here.store)
        ServicesFile(self._settings.orders / SERVICES).hand_over(self._services)

    def elements(self) -> list[Element]:
        """The elements that receive orders."""
        register = self.addresses.get(HOME_REGISTER)
        if not register:
            return list(self.proxies())
        return [HomeRegister(*register_ports(register), services=self._services), *self.proxies()]

    def message_centre(self, *, receives: bool = True) -> ShortMessageCentre | None:
        """The sender of notices, not yet connected; None where none is configured. `receives`: receipts too."""
        if self._settings.message_centre is None:
            return None
        try:
            where = urlsplit(self._settings.message_centre.get_secret_value())
            port = where.port or 2775
        except ValueError:  # its message quotes the password
            where, port = urlsplit(""), 0
        if where.scheme != "smpp" or not where.hostname or not where.username:
            raise DuankaError("DUANKA_MESSAGE_CENTRE is written like smpp://user:password@host:2775")
        return ShortMessageCentre(
            (where.hostname, port),
            system_id=unquote(where.username),
            password=unquote(where.password or ""),
            short_code=self._short_code,
            receives=receives,
        )

    def proxies(self) -> list[CallProxy | MessageProxy]:
        """The elements that record refusals and store the list of cards themselves."""
        calls, messages = self.addresses.get(CALL_PROXY), self.addresses.get(MESSAGE_PROXY)
        return [
            *([CallProxy(Path(calls))] if calls else []),
            *([MessageProxy(Path(messages))] if messages else []),
        ]

    def message_filters(self) -> list[MessageProxy]:
        """The message proxies that refuse what two persons agreed on."""
        return [one for one in self.proxies() if isinstance(one, MessageProxy)]

    def said(self) -> str:
        """Description of the network without secrets."""
        parts = {**self.addresses, "notices": self._settings.message_centre and "SMPP"}
        named = [f"{name} {where}" for name, where in parts.items() if where]
        return ", ".join(named) or "none (orders are kept, nobody is told; see docs/NETWORK.md)"


def serve(
    settings: Settings,
    policy: Policy,
    asked: Serving,
    say: Callable[[str | BilingualText], None],
    watch: RecordsWatch,
) -> LiveOutcome | None:
    """Run API, worker and intake until Ctrl-C or SIGTERM; the failure of one ends no other."""
    network = Network(settings, policy.orders.short_code)
    ending = threading.Event()
    for folder in asked.decisions:
        _require_folder(folder, say)
    with app_orders.desk(settings, policy, create=True) as here, contextlib.ExitStack() as parts:
        network.join(here, app_orders.now())
        say(f"Orders: {here.store.name}; policy {policy.id}; network: {network.said()}")
        for lacking in not_set_up(settings):
            say(f"Not set up: {lacking}")
        run = ServeParts(settings, policy, here, say)
        parts.callback(run.supervision.supervisor.stop)
        parts.enter_context(working(here, policy.orders, network, say, supervision=run.supervision))
        if asked.records:
            run.follow_records(asked.records, watch)
        for folder in (*asked.decisions, *((asked.records.out,) if asked.records else ())):
            run.follow_decisions(folder)
        run.verify_online()
        say(f"Second verification: {app_identity.said(settings)}")
        run.watch_health()
        server = run.listen(asked.host, asked.port, asked.trusted_proxies)
        say(f"API: http://{server}/card-restrictions/v1 (openapi.json there); Ctrl-C ends it")
        parts.enter_context(
            stopped_by_signals(ending.set, lambda: say("Ending: what is in hand is finished ..."))
        )
        ending.wait()
    return run.outcome


class _Silent:
    """No-op listener: an unsupervised worker logs its failures itself."""

    def failed(self, part: str, error: BaseException) -> None: ...

    def works(self, part: str) -> None: ...


def _require_folder(folder: Path, say: Callable[[str], None]) -> None:
    """Refuse a folder that does not exist: a misspelt one would be polled for ever, in silence."""
    path = DecisionFile(folder).path
    if not path.parent.is_dir():
        raise DuankaError(
            f"--decisions {folder}: there is no such folder; give the one that `duanka scan` or `duanka live` writes"
        )
    if not path.is_file():
        say(f"Decisions: none in {folder} yet; {path.name} is waited for")
