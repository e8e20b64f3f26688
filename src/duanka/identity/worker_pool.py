"""Bounded pool of check workers: processes (embedded checker), threads (vendor).

A worker that dies, hangs or is unavailable is our fault: its check ends as lost, which does not count against
the holder, and the worker is replaced. Embedded workers are processes, so that one holder's input cannot
affect another's check. Every check is answered exactly once.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import multiprocessing
import os
import re
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import wait
from random import Random
from typing import Protocol, TypeVar

from duanka.domain.identity import (
    Check,
    CheckerDown,
    CheckReason,
    CheckRefused,
    Outcome,
    QueuePlace,
    ReferenceUnusable,
    Step,
    Verdict,
)
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.identity_ports import Checker
from duanka.identity.embedded.checker import EmbeddedChecker, steps_of

_log = logging.getLogger("duanka.identity")

WAIT_FOR_EACH = 30  # maximum waiting checks per worker: holders would not wait longer
LONGEST = 30.0  # seconds that a worker may take for a check
_START_SECONDS = 60.0  # extra seconds for a worker's first check, which loads the engine
_ASSUMED_SECONDS = 1.5  # estimated seconds per check before one was measured
_MEAN_WEIGHT = 0.1  # of the newest check in the running mean
_ENROL_SECONDS = 20.0

Result = TypeVar("Result")
Judge = Callable[[Check], tuple[Verdict, float]]  # the verdict, and wall-clock seconds


class Worker(Protocol):
    """Answers one question at a time."""

    def ask(self, question: Callable[[Check], Result], check: Check) -> Result:
        """Return the answer or raise its exception; BrokenExecutor if the worker died."""

    def close(self) -> None:
        """Stop."""


@dataclass(frozen=True)
class _Ticket:
    number: int
    order_id: str
    done: Callable[[Verdict], None]


class Workers:
    """Thread-safe CheckQueue. `worker`: factory; `workers`: number; `judge`: run on workers."""

    def __init__(
        self, worker: Callable[[], Worker], judge: Judge, workers: int, most_waiting: int | None = None
    ) -> None:
        self._judge, self._workers = judge, workers
        self._most = workers * WAIT_FOR_EACH if most_waiting is None else most_waiting
        self._changed = threading.Condition()
        self._line: dict[int, _Ticket] = {}  # unanswered checks, in order
        self._first = deque[Callable[[Worker], None]]()  # short questions with a caller waiting
        self._checks = deque[Callable[[Worker], None]]()
        self._numbers = itertools.count()
        self._seconds = _ASSUMED_SECONDS
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, args=(worker(),), name=f"checks-{at}", daemon=True)
            for at in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, check: Check, done: Callable[[Verdict], None]) -> QueuePlace:
        """Queue a check. When full, raises CheckRefused(BUSY) with the seconds to wait."""
        with self._changed:
            ahead = len(self._line)
            if self._closed or ahead >= self._most:
                raise CheckRefused(CheckReason.BUSY, wait=max(1, round(self._reckoned(ahead))))
            ticket = _Ticket(next(self._numbers), check.order_id, done)
            self._line[ticket.number] = ticket
            self._checks.append(partial(self._check, ticket, check))
            self._changed.notify()
            return self._waiting(ahead)

    def expected(self, order_id: str | None = None) -> QueuePlace:
        """Estimate the wait until this order's check, or else a new one, is done."""
        with self._changed:
            places = [at for at, ticket in enumerate(self._line.values()) if ticket.order_id == order_id]
            return self._waiting(places[-1] if places else len(self._line))

    def ask(self, question: Callable[[Check], Result], check: Check) -> Future[Result]:
        """Run a question on the next free worker, before waiting checks. Raises CheckerDown."""
        future = Future[Result]()
        with self._changed:
            if self._closed:
                raise CheckerDown("the workers have ended")
            self._first.append(partial(_answered, future, question, check))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Stop: waiting checks end as lost, running ones are finished."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        for ticket in list(self._line.values()):
            self._answer(ticket, _lost())

    def _work(self, worker: Worker) -> None:
        with contextlib.closing(worker):
            while job := self._next():
                job(worker)

    def _next(self) -> Callable[[Worker], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._first or self._checks)
            if self._first:  # also while stopping: callers wait for the answer
                return self._first.popleft()
            return None if self._closed else self._checks.popleft()

    def _check(self, ticket: _Ticket, check: Check, worker: Worker) -> None:
        try:
            verdict, seconds = worker.ask(self._judge, check)
        except ReferenceUnusable:
            verdict = Verdict(Outcome.FAILED, (CheckReason.NO_REFERENCE,))
        except Exception as error:  # broken, hanging, unavailable, or a defect: always our fault
            _log.warning("a check of %s was lost: %s", ticket.order_id, type(error).__name__)
            verdict = _lost()
        else:
            with self._changed:
                self._seconds += _MEAN_WEIGHT * (seconds - self._seconds)
        self._answer(ticket, verdict)

    def _answer(self, ticket: _Ticket, verdict: Verdict) -> None:
        with self._changed:
            mine = self._line.pop(ticket.number, None)
        if mine:
            try:
                mine.done(verdict)
            except Exception as error:  # the worker continues with the next check
                _log.error("the verdict on %s was not taken: %s", ticket.order_id, type(error).__name__)

    def _waiting(self, ahead: int) -> QueuePlace:
        return QueuePlace(ahead, round(self._reckoned(ahead), 1))

    def _reckoned(self, ahead: int) -> float:
        return (ahead // self._workers + 1) * self._seconds


class OnWorkers:
    """Embedded Checker of the serving process: pictures are handled by the workers."""

    name = EmbeddedChecker.name

    def __init__(self, workers: Workers, policy: IdentityPolicy) -> None:
        self._workers, self._policy = workers, policy

    def enrol(self, reference: bytes) -> None:
        """Check on a worker that the photo is usable; ReferenceUnusable, CheckerDown."""
        self._answer(_enrol, Check("", (), reference, ()), _ENROL_SECONDS)

    def challenge(self, draw: Random) -> tuple[Step, ...]:
        """Return random gestures."""
        return steps_of(self._policy, draw)

    def check(self, check: Check) -> Verdict:
        """Check on a worker and wait for it; ReferenceUnusable, CheckerDown."""
        return self._answer(_judge, check, LONGEST + _START_SECONDS)[0]

    def close(self) -> None:
        """Do nothing: the workers are closed by their creator."""

    def _answer(self, question: Callable[[Check], Result], check: Check, within: float) -> Result:
        future = self._workers.ask(question, check)
        try:
            return future.result(within)
        except ReferenceUnusable:
            raise
        except Exception as error:
            future.cancel()
            raise CheckerDown(f"no worker looked at the pictures: {type(error).__name__}") from None


def embedded(
    policy: IdentityPolicy, workers: int, most_waiting: int | None = None
) -> tuple[OnWorkers, Workers]:
    """Create the embedded checker on worker processes, started with the first check."""
    queue = Workers(partial(Process, policy), _judge, workers, most_waiting)
    return OnWorkers(queue, policy), queue


def on_threads(checker: Checker, workers: int) -> Workers:
    """Run a thread-safe Checker, such as a vendor's, on `workers` threads."""
    return Workers(_Here, partial(_timed, checker), workers)


class _Here:
    """A worker on the calling thread."""

    def ask(self, question: Callable[[Check], Result], check: Check) -> Result:
        """Return the answer or raise its exception."""
        return question(check)

    def close(self) -> None:
        """Do nothing: no resources are held."""


class Process:
    """A worker process, started on first use and again after it died. Not thread-safe."""

    def __init__(
        self, policy: IdentityPolicy, longest: float = LONGEST, starts_within: float = _START_SECONDS
    ) -> None:
        self._policy, self._longest, self._starts_within = policy, longest, starts_within
        self._pool: ProcessPoolExecutor | None = None

    def ask(self, question: Callable[[Check], Result], check: Check) -> Result:
        """Return the answer or raise its exception.

        BrokenExecutor, TimeoutError if the process dies or hangs.
        """
        try:
            asked = self._started().submit(question, check)
        except BrokenExecutor:  # it died while idle: nothing is lost
            self.close()
            asked = self._started().submit(question, check)
        try:
            return asked.result(self._longest + self._starts_within)
        except (BrokenExecutor, TimeoutError):
            self._kill()
            raise

    def close(self) -> None:
        """Stop the process."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        self._pool = None

    def _kill(self) -> None:
        """Kill a process that does not stop and would keep this one from exiting."""
        for process in list((self._pool._processes or {}).values()) if self._pool else ():
            process.kill()
        self.close()

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),  # fork and threads deadlock
                initializer=_begin,
                initargs=(self._policy, self._longest),
            )
        return self._pool


def _answered(
    future: Future[Result], question: Callable[[Check], Result], check: Check, worker: Worker
) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(worker.ask(question, check))
    except Exception as error:
        future.set_exception(error)


def _lost() -> Verdict:
    return Verdict(Outcome.FAILED, (CheckReason.LOST,))


def _timed(checker: Checker, check: Check) -> tuple[Verdict, float]:
    began = time.monotonic()
    verdict = checker.check(check)
    return verdict, time.monotonic() - began


# --- in a worker process ---

# lines of severity INFO of TensorFlow Lite and absl, and absl's warning about its initialisation
_INFORMATION = re.compile(rb"INFO: |I\d{4} \d\d:|WARNING: All log messages before absl::InitializeLog")

_checker: EmbeddedChecker | None = None
_longest = LONGEST


def _begin(policy: IdentityPolicy, longest: float) -> None:
    """Initialise a worker process; it ends when the parent says so or dies."""
    global _checker, _longest  # noqa: PLW0603  # one engine per process, created before the first check
    _longest = longest
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_ends_with, args=(parent.sentinel,), daemon=True).start()
    with without_information():
        _checker = EmbeddedChecker(policy)
    # from here on C libraries would print a line for each picture, which nobody reads
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


@contextlib.contextmanager
def without_information() -> Iterator[None]:
    """Drop informational lines of C libraries from stderr, and pass on the rest."""
    before, said = os.dup(2), os.memfd_create("said")
    os.dup2(said, 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        with open(said, "rb") as lines:
            lines.seek(0)
            for line in lines:
                if not _INFORMATION.match(line):
                    os.write(2, line)
        os.close(before)


def _ends_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


@contextlib.contextmanager
def in_time() -> Iterator[EmbeddedChecker]:
    """Yield the checker; past the time limit the process is killed, even in a C call."""
    assert _checker is not None  # noqa: S101  # set by _begin
    signal.setitimer(signal.ITIMER_REAL, _longest)
    try:
        yield _checker
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _judge(check: Check) -> tuple[Verdict, float]:
    with in_time() as checker:
        return _timed(checker, check)


def _enrol(check: Check) -> None:
    with in_time() as checker:
        checker.enrol(check.reference)
