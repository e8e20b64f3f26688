"""Orders carried out: deadlines kept, the network told, holders told, and all of it compared. The story in a page.

Each duty has a thread of its own, so that none waits for another: an element that is silent, a message centre that is
down, or a comparison of a million cards. A duty that fails is told, counted and tried again, later each time; also
when it is the database that is away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from duanka.domain.phone_masking import masked_text

_LOOK = 0.25  # seconds between looks for work that other processes left
_RECEIPTS, _REFUSALS, _WATCH, _SPARE = 1.0, 2.0, 5.0, 30.0
_LISTS = 10.0
_PASSES = 2.0  # seconds until scans and live runs can know of a pass
_GUARD = 1.0  # seconds of the trail that a crash may leave without an end outside
_SWEPT_AT_ONCE = 500
_FIRST_REST, _LONGEST_REST = 0.5, 30.0
DEADLINES, ACTS, NOTICES = "deadlines", "acts", "notices"  # as Look names them; the rest are elements
PASSES = "list of passes"
PURGE = "pictures kept no longer"


class Dispatcher(Protocol):
    """What carries orders into one element, or notices to the message centre and their receipts back."""

    def work(self, now: datetime) -> bool:
        """Do what is due, up to a batch; whether there may be more at once."""

    def watch(self, now: datetime) -> None:
        """Raise or clear its alarm."""

    def stop(self) -> None:
        """End after what is in hand, and give the rest back; called from another thread."""

    def close(self) -> None:
        """Give the connection back."""


class RefusalRecorder(Protocol):
    """What records an element's refusals. `name`: the element."""

    name: str

    def read(self, now: datetime) -> bool:
        """Record what is new, up to a batch; whether there may be more at once."""


class Reconciler(Protocol):
    """What compares an element with the order book. `name`: the element."""

    name: str

    def compare(self, now: datetime) -> object:
        """Compare all of it, and mend what differs."""

    def close(self) -> None:
        """Give the connection back."""


class Listed(Protocol):
    """What raises an alarm while an element judges by a spoilt list. `name`: the element."""

    name: str

    def look(self, now: datetime) -> None:
        """Ask the element, and raise or clear the alarm."""

    def close(self) -> None:
        """Give the connection back."""


class Guard(Protocol):
    """What says while the database is older than it was, for a backup was restored."""

    @property
    def holds(self) -> bool:
        """Whether nothing may be repaired, restricted or sent."""

    def check(self, now: datetime) -> bool:
        """Look now; whether it holds."""

    def work(self, now: datetime) -> bool:
        """Look now, and keep how far the database is; as a duty."""


class EnforcementObserver(Protocol):
    """Told how it goes: the heartbeat and the figures."""

    def worked(self, duty: str, seconds: float) -> None:
        """A duty did its work."""

    def failed(self, duty: str, error: BaseException) -> None:
        """A duty failed, and is tried again."""


class Unwatched:
    """A Watch that looks away."""

    def worked(self, duty: str, seconds: float) -> None:
        """Nothing."""

    def failed(self, duty: str, error: BaseException) -> None:
        """Nothing: `say` is told of it too."""


@dataclass(frozen=True)
class Duty:
    """Something to do again and again. `work` says whether more waits; `every`: seconds until it is done unasked."""

    name: str
    work: Callable[[datetime], bool]
    every: float


@dataclass(frozen=True)
class Enforcement:
    """The parts of a worker.

    `sweep`: moves on up to `limit` orders that are due; `carry_out`: goes on with acts of people, and says whether it
    did anything; `look`: names of what has work. `clock`: now, aware; `ticks`: seconds that only grow. `purge`: does
    away with what may be kept no longer, and says whether it did anything. `write_passes`: writes the list of who
    passed, where that changed. `guard`: while it holds, no deadline, act, notice, comparison or list of passes is
    worked on; what elements are told then, it says to their outbox.
    """

    sweep: Callable[[datetime, int], int]
    carry_out: Callable[[datetime], object]
    elements: Mapping[str, Dispatcher]
    look: Callable[[datetime], Iterable[str]]
    clock: Callable[[], datetime]
    ticks: Callable[[], float]
    say: Callable[[str], None]
    watch: EnforcementObserver = Unwatched()  # noqa: RUF009  # it holds nothing
    notices: Dispatcher | None = None
    refusals: Sequence[RefusalRecorder] = ()
    compared: Sequence[Reconciler] = ()
    compare_every: float = 300.0
    lists: Sequence[Listed] = ()
    purge: Callable[[datetime], object] | None = None
    guard: Guard | None = None
    write_passes: Callable[[], object] | None = None

    @property
    def holds(self) -> bool:
        """Whether the guard holds."""
        return self.guard is not None and self.guard.holds

    @property
    def draining(self) -> tuple[Dispatcher, ...]:
        """Everything that drains."""
        return (*self.elements.values(), *([self.notices] if self.notices else []))


def duties(parts: Enforcement) -> tuple[Duty, ...]:
    """Everything that a worker does, each with how often."""

    def sweep(now: datetime) -> bool:
        return not parts.holds and parts.sweep(now, _SWEPT_AT_ONCE) >= _SWEPT_AT_ONCE

    def purge(now: datetime) -> bool:
        return bool(parts.purge and parts.purge(now))

    def carry_out(now: datetime) -> bool:
        return not parts.holds and bool(parts.carry_out(now))

    def send(notices: Dispatcher) -> Callable[[datetime], bool]:
        return lambda now: not parts.holds and notices.work(now)

    def compare(one: Reconciler) -> Callable[[datetime], bool]:
        def work(now: datetime) -> bool:
            if not (parts.guard and parts.guard.check(now)):
                one.compare(now)
            return False

        return work

    def look(one: Listed) -> Callable[[datetime], bool]:
        def work(now: datetime) -> bool:
            one.look(now)
            return False

        return work

    def watch(now: datetime) -> bool:
        for one in parts.draining:
            one.watch(now)
        return False

    return (
        Duty(DEADLINES, sweep, _SPARE),
        Duty(ACTS, carry_out, _SPARE),
        *(Duty(name, one.work, _SPARE) for name, one in parts.elements.items()),
        *([Duty(NOTICES, send(parts.notices), _RECEIPTS)] if parts.notices else []),
        *(Duty(f"refusals of {one.name}", one.read, _REFUSALS) for one in parts.refusals),
        *(Duty(f"comparison of {one.name}", compare(one), parts.compare_every) for one in parts.compared),
        *(Duty(f"list of {one.name}", look(one), _LISTS) for one in parts.lists),
        *_listing(parts),
        *([Duty(PURGE, purge, _SPARE)] if parts.purge else []),
        *([Duty("end of the trail", parts.guard.work, _GUARD)] if parts.guard else []),
        Duty("alarms", watch, _WATCH),
    )


def _listing(parts: Enforcement) -> Sequence[Duty]:
    write = parts.write_passes
    if write is None:
        return ()

    def work(now: datetime) -> bool:
        del now
        if not parts.holds:  # a database older than it was knows fewer passes
            write()
        return False

    return (Duty(PASSES, work, _PASSES),)


@dataclass
class Enforcing:
    """A worker. `run` works until `stop`; `wake`, from any thread, says that a transaction left work."""

    parts: Enforcement
    failures: dict[str, int] = field(default_factory=dict)  # of each duty, since the start
    _stopped: threading.Event = field(default_factory=threading.Event)
    _left: threading.Event = field(default_factory=threading.Event)
    _bells: dict[str, threading.Event] = field(default_factory=dict)

    def run(self) -> None:
        """Work until told to stop: then end what is in hand, and give leases and connections back."""
        threads = []
        for duty in duties(self.parts):
            self._bells[duty.name] = threading.Event()
            threads.append(threading.Thread(target=self._keep, args=(duty,), name=duty.name))
        for thread in threads:
            thread.start()
        try:
            self._keep(Duty("look", self._look, _LOOK), self._left)
        finally:
            self.stop()
            self._ring(self._bells)
            for thread in threads:
                thread.join()
            self._close()

    def stop(self) -> None:
        """End in order."""
        self._stopped.set()
        for one in self.parts.draining:
            one.stop()
        self.wake()

    def wake(self) -> None:
        """There is work: look at once."""
        self._left.set()

    def _look(self, now: datetime) -> bool:
        """Ring for every duty that has work, by whomever it was left."""
        self._ring(self.parts.look(now))
        return False

    def _ring(self, names: Iterable[str]) -> None:
        for name in names:
            if bell := self._bells.get(name):
                bell.set()

    def _keep(self, duty: Duty, bell: threading.Event | None = None) -> None:
        """Attend to the duty until stopped, whatever befalls its thread: it must not end in silence."""
        while not self._stopped.is_set():
            try:
                self._attend(duty, bell)
            except BaseException as error:  # the thread would end in silence
                self._failed(duty, error, 1)
                self._stopped.wait(_FIRST_REST)

    def _attend(self, duty: Duty, bell: threading.Event | None = None) -> None:
        """Do the duty until stopped: at once when the bell rings, at once again while there is more."""
        bell, in_a_row = bell or self._bells[duty.name], 0
        while not self._stopped.is_set():
            bell.clear()
            begun = self.parts.ticks()
            try:
                more = duty.work(self.parts.clock())
            except Exception as error:
                in_a_row += 1
                self._failed(duty, error, in_a_row)
                self._stopped.wait(min(_LONGEST_REST, _FIRST_REST * 2 ** min(in_a_row - 1, 10)))
                continue
            if in_a_row:
                self._tell(lambda: self.parts.say(f"{duty.name}: works again"))
            in_a_row = 0
            self._tell(lambda: self.parts.watch.worked(duty.name, self.parts.ticks() - begun))  # noqa: B023  # called at once
            if not more:
                bell.wait(duty.every)

    def _failed(self, duty: Duty, error: BaseException, in_a_row: int) -> None:
        self.failures[duty.name] = self.failures.get(duty.name, 0) + 1
        self._tell(lambda: self.parts.watch.failed(duty.name, error))
        if in_a_row == 1:  # said once, however long it lasts
            reason = masked_text((str(error).strip() or type(error).__name__).splitlines()[0])
            self._tell(lambda: self.parts.say(f"{duty.name}: {reason}; it is tried again"))

    @staticmethod
    def _tell(told: Callable[[], object]) -> None:
        """Who is told must not end the duty: a log on a full disk, a pipe that nobody reads."""
        with suppress(Exception):
            told()

    def _close(self) -> None:
        parts = self.parts
        closing: Collection[Dispatcher | Reconciler | Listed] = (
            *parts.draining,
            *parts.compared,
            *parts.lists,
        )
        for one in closing:
            try:
                one.close()
            except Exception as error:
                parts.say(f"closing: {error}")
