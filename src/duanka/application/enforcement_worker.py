"""Enforcement worker: deadlines, dispatch of orders and notices, reconciliation.

Each duty runs in its own thread, so that none blocks another when an element does not answer, the message
centre is down, or a comparison covers a million cards. A duty that fails is reported, counted and retried
with back-off; this includes failures of the database.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from duanka.domain.phone_masking import masked_text

_POLL_SECONDS = 0.25  # polling interval for work queued by other processes
_NOTICE_SECONDS, _REFUSAL_SECONDS, _ALARM_SECONDS, _IDLE_SECONDS = 1.0, 2.0, 5.0, 30.0
_LIST_SECONDS = 10.0
_PASSES_SECONDS = 2.0  # longest delay until scans and live runs see a pass
_ARCHIVE_SECONDS = 60.0
_VICTIM_SECONDS = 1.0  # until a confirmation, or a warning, is seen
_FIGURE_SECONDS = 5.0
_ACCOUNT_SECONDS = 1.0  # until a changed ground, or what waits for a platform, is seen
_UPKEEP_SECONDS = 5.0  # until a refused message is counted, and an item that was agreed on is refused
_GUARD_SECONDS = 1.0  # interval between copies of the audit trail's end, outside the database
_DEADLINE_BATCH = 500
_BACKOFF_SECONDS, _BACKOFF_LIMIT_SECONDS = 0.5, 30.0
DEADLINES, ACTS, NOTICES = "deadlines", "acts", "notices"  # duties that `Enforcement.look` may name
PASSES = "list of passes"
PURGE = "pictures kept no longer"
ARCHIVE = "refusals into the store"
VICTIMS, WARNINGS = "victims", "warnings to victims"
FIGURES = "figures"
ACCOUNTS, PLATFORMS, UPKEEP = "linked accounts", "platforms", "upkeep of accounts"


class Dispatcher(Protocol):
    """Sends orders to one element, or notices to the message centre."""

    def work(self, now: datetime) -> bool:
        """Process one batch of due work; returns whether more may be due."""

    def watch(self, now: datetime) -> None:
        """Raise or clear the alarm of this dispatcher."""

    def stop(self) -> None:
        """Finish the work in hand and release other leases. Called from another thread."""

    def close(self) -> None:
        """Close the connection."""


class RefusalRecorder(Protocol):
    """Records the calls and messages that an element refused. `name`: the element."""

    name: str

    def read(self, now: datetime) -> bool:
        """Record one batch of new refusals; returns whether more may be waiting."""


class Reconciler(Protocol):
    """Compares an element with the order database. `name`: the element."""

    name: str

    def compare(self, now: datetime) -> object:
        """Compare all cards and repair the differences."""

    def close(self) -> None:
        """Close the connection."""


class Listed(Protocol):
    """Raises an alarm while an element works with a corrupt list. `name`: the element."""

    name: str

    def look(self, now: datetime) -> None:
        """Query the element, and raise or clear the alarm."""

    def close(self) -> None:
        """Close the connection."""


class Upkeep(Protocol):
    """Counts items for take-down, lets message filters follow them, deletes what is kept no longer."""

    def work(self, now: datetime) -> bool:
        """Do what is due; returns whether more waits."""

    def close(self) -> None:
        """Close the connections."""


class AccountWork(Protocol):
    """Linked accounts: grounds that changed, platforms, each in its own thread, and upkeep."""

    @property
    def platforms(self) -> Dispatcher:
        """Sends requests and releases, and takes answers."""

    @property
    def upkeep(self) -> Upkeep:
        """Items for take-down, message filters, retention."""

    def look(self, now: datetime) -> object:
        """Turn changed grounds into requests and releases; true when more wait."""


class Guard(Protocol):
    """Detects a database older than its last known state, as after a restored backup."""

    @property
    def holds(self) -> bool:
        """Whether repairs, restrictions and notices are suspended."""

    def check(self, now: datetime) -> bool:
        """Check now; returns `holds`."""

    def work(self, now: datetime) -> bool:
        """Check if something changed, then copy the trail's end; usable as `Duty.work`."""


class EnforcementObserver(Protocol):
    """Receives the outcome of each duty, for the heartbeat and the metrics."""

    def succeeded(self, duty: str, seconds: float) -> None:
        """A duty succeeded after `seconds`."""

    def failed(self, duty: str, error: BaseException) -> None:
        """A duty failed and will be retried."""


@dataclass(frozen=True)
class Duty:
    """A repeated task.

    `work` returns something true when more work waits; `every`: longest interval between two runs, in seconds.
    """

    name: str
    work: Callable[[datetime], object]
    every: float


@dataclass(frozen=True)
class Enforcement:
    """The parts of a worker.

    `sweep`: applies up to `limit` deadlines that have passed, returns how many. `carry_out`: continues bulk
    actions; true when it did anything. `look`: names of the duties and elements that have pending work.
    `clock`: current time, with zone. `ticks`: monotonic seconds. `purge`: deletes data past its retention
    period; true when it did anything. `move_refusals`: moves old refusals into the store of records; true when
    there are more. `write_passes`: writes the list of passed verifications if it changed. `find_victims`: looks for
    victims of confirmed cards; true when more wait. `warnings`: sends what waits for them.
    `accounts`: linked accounts and items for take-down. `count_figures`: counts what is new in the trail; true when
    there is more.
    `guard`: while it holds, deadlines, bulk actions, notices, comparisons, victims and the list of passes are
    suspended; the outbox asks the guard itself.
    """

    sweep: Callable[[datetime, int], int]
    carry_out: Callable[[datetime], object]
    elements: Mapping[str, Dispatcher]
    look: Callable[[datetime], Iterable[str]]
    clock: Callable[[], datetime]
    ticks: Callable[[], float]
    say: Callable[[str], None]
    watch: EnforcementObserver | None = None
    notices: Dispatcher | None = None
    refusals: Sequence[RefusalRecorder] = ()
    compared: Sequence[Reconciler] = ()
    compare_every: float = 300.0
    lists: Sequence[Listed] = ()
    purge: Callable[[datetime], object] | None = None
    move_refusals: Callable[[datetime], object] | None = None
    guard: Guard | None = None
    write_passes: Callable[[], object] | None = None
    find_victims: Callable[[datetime], object] | None = None
    warnings: Dispatcher | None = None
    accounts: AccountWork | None = None
    count_figures: Callable[[], object] | None = None

    @property
    def holds(self) -> bool:
        """Whether the guard suspends work."""
        return self.guard is not None and self.guard.holds

    @property
    def draining(self) -> tuple[Dispatcher, ...]:
        """All dispatchers."""
        others = (self.notices, self.warnings, self.accounts and self.accounts.platforms)
        return (*self.elements.values(), *(one for one in others if one))


def _once(work: Callable[[datetime], object]) -> Callable[[datetime], object]:
    """Wrap `work` so that it never reports more work."""

    def worked(now: datetime) -> bool:
        work(now)
        return False

    return worked


def _comparison(one: Reconciler, guard: Guard | None) -> Callable[[datetime], object]:
    def work(now: datetime) -> None:
        if not (guard and guard.check(now)):
            one.compare(now)

    return _once(work)


def duties(parts: Enforcement) -> tuple[Duty, ...]:
    """All duties of a worker with their intervals."""

    def unless_held(work: Callable[[datetime], object]) -> Callable[[datetime], object]:
        return lambda now: not parts.holds and work(now)

    def watch(now: datetime) -> None:
        for one in parts.draining:
            one.watch(now)

    sweep, notices, passes = parts.sweep, parts.notices, parts.write_passes
    found = [
        Duty(
            DEADLINES, unless_held(lambda now: sweep(now, _DEADLINE_BATCH) >= _DEADLINE_BATCH), _IDLE_SECONDS
        ),
        Duty(ACTS, unless_held(parts.carry_out), _IDLE_SECONDS),
        *(Duty(name, one.work, _IDLE_SECONDS) for name, one in parts.elements.items()),
        *(Duty(f"refusals of {one.name}", one.read, _REFUSAL_SECONDS) for one in parts.refusals),
        *(
            Duty(f"comparison of {one.name}", _comparison(one, parts.guard), parts.compare_every)
            for one in parts.compared
        ),
        *(Duty(f"list of {one.name}", _once(one.look), _LIST_SECONDS) for one in parts.lists),
        Duty("alarms", _once(watch), _ALARM_SECONDS),
    ]
    if notices:
        found.append(Duty(NOTICES, unless_held(notices.work), _NOTICE_SECONDS))
    found += _of_casework(parts, unless_held)
    if passes:  # held by the guard: a restored, older database would shorten the list
        found.append(Duty(PASSES, _once(unless_held(lambda _: passes())), _PASSES_SECONDS))
    if parts.purge:
        found.append(Duty(PURGE, parts.purge, _IDLE_SECONDS))
    if parts.move_refusals:
        found.append(Duty(ARCHIVE, parts.move_refusals, _ARCHIVE_SECONDS))
    if count := parts.count_figures:
        found.append(Duty(FIGURES, lambda _: count(), _FIGURE_SECONDS))
    if parts.guard:
        found.append(Duty("end of the trail", parts.guard.work, _GUARD_SECONDS))
    return tuple(found)


def _of_casework(
    parts: Enforcement, unless_held: Callable[[Callable[[datetime], object]], Callable[[datetime], object]]
) -> list[Duty]:
    """Duties of casework; held by the guard, as a restored, older database knows less."""
    warnings, accounts = parts.warnings, parts.accounts
    known = (
        (VICTIMS, parts.find_victims, _VICTIM_SECONDS),
        (WARNINGS, warnings and warnings.work, _VICTIM_SECONDS),
        (ACCOUNTS, accounts and accounts.look, _ACCOUNT_SECONDS),
        (PLATFORMS, accounts and accounts.platforms.work, _ACCOUNT_SECONDS),
        (UPKEEP, accounts and accounts.upkeep.work, _UPKEEP_SECONDS),
    )
    return [Duty(name, unless_held(work), every) for name, work, every in known if work]


@dataclass
class Enforcing:
    """A running worker. `run` blocks until `stop`. `wake` is safe from any thread."""

    parts: Enforcement
    failures: dict[str, int] = field(default_factory=dict)  # duty -> failures since the start
    _stopped: threading.Event = field(default_factory=threading.Event)
    _left: threading.Event = field(default_factory=threading.Event)
    _wakeups: dict[str, threading.Event] = field(default_factory=dict)

    def run(self) -> None:
        """Work until `stop`, then finish what is in hand, release leases, and disconnect."""
        threads = []
        for duty in duties(self.parts):
            self._wakeups[duty.name] = threading.Event()
            wakeup = self._wakeups[duty.name]
            threads.append(threading.Thread(target=self._supervise, args=(duty, wakeup), name=duty.name))
        for thread in threads:
            thread.start()
        try:
            self._supervise(Duty("look", self._poll, _POLL_SECONDS), self._left)
        finally:
            self.stop()
            self._wake(self._wakeups)
            for thread in threads:
                thread.join()
            self._close()

    def stop(self) -> None:
        """Request an orderly end of `run`."""
        self._stopped.set()
        for one in self.parts.draining:
            one.stop()
        self.wake()

    def wake(self) -> None:
        """Poll at once, because a transaction has queued work."""
        self._left.set()

    def _poll(self, now: datetime) -> bool:
        """Wake each duty that has pending work."""
        self._wake(self.parts.look(now))
        return False

    def _wake(self, names: Iterable[str]) -> None:
        for name in names:
            if wakeup := self._wakeups.get(name):
                wakeup.set()

    def _supervise(self, duty: Duty, wakeup: threading.Event) -> None:
        """Restart the duty whatever it raises: its thread must not end unnoticed."""
        while not self._stopped.is_set():
            try:
                self._run_loop(duty, wakeup)
            except BaseException as error:  # also SystemExit and the like, which would end the thread
                self._failed(duty, error, 1)
                self._stopped.wait(_BACKOFF_SECONDS)

    def _run_loop(self, duty: Duty, wakeup: threading.Event) -> None:
        """Run the duty until stopped: when woken, when due, or while more work waits."""
        in_a_row = 0
        while not self._stopped.is_set():
            wakeup.clear()
            begun = self.parts.ticks()
            try:
                more = duty.work(self.parts.clock())
            except Exception as error:
                in_a_row += 1
                self._failed(duty, error, in_a_row)
                self._stopped.wait(min(_BACKOFF_LIMIT_SECONDS, _BACKOFF_SECONDS * 2 ** min(in_a_row - 1, 10)))
                continue
            if in_a_row:
                self._tell(lambda: self.parts.say(f"{duty.name}: works again"))
            in_a_row = 0
            if watch := self.parts.watch:
                self._tell(lambda: watch.succeeded(duty.name, self.parts.ticks() - begun))  # noqa: B023  # called at once
            if not more:
                wakeup.wait(duty.every)

    def _failed(self, duty: Duty, error: BaseException, in_a_row: int) -> None:
        self.failures[duty.name] = self.failures.get(duty.name, 0) + 1
        if watch := self.parts.watch:
            self._tell(lambda: watch.failed(duty.name, error))
        if in_a_row == 1:  # reported once per outage
            reason = masked_text((str(error).strip() or type(error).__name__).splitlines()[0])
            self._tell(lambda: self.parts.say(f"{duty.name}: {reason}; it is tried again"))

    @staticmethod
    def _tell(told: Callable[[], object]) -> None:
        """Call an observer; its errors, such as a full disk or a broken pipe, are dropped."""
        with suppress(Exception):
            told()

    def _close(self) -> None:
        parts = self.parts
        closing: Collection[Dispatcher | Reconciler | Listed | Upkeep] = (
            *parts.draining,
            *([parts.accounts.upkeep] if parts.accounts else []),
            *parts.compared,
            *parts.lists,
        )
        for one in closing:
            try:
                one.close()
            except Exception as error:
                parts.say(f"closing: {error}")
