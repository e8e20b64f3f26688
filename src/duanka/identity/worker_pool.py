"""Checks wait in one line before a bounded number of workers: processes for the embedded check, threads for a vendor.

A worker that dies, hangs or is away is our fault: its check is answered as lost, which counts for nothing, and a new
worker takes its place. Each has a process of its own, so that what one holder sends costs nobody else their check.
Every check is answered once.
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

WAIT_FOR_EACH = 30  # checks that may wait before each worker: what a holder waits for without going away
LONGEST = 30.0  # seconds that a worker may take for a check
_STARTS_WITHIN = 60.0  # seconds more for the first one, which loads the engine
_FIRST_GUESS = 1.5  # seconds of a check before one was measured
_WEIGHT = 0.1  # of the last check in the running mean
_ENROL_WITHIN = 20.0

Result = TypeVar("Result")
Judge = Callable[[Check], tuple[Verdict, float]]  # the verdict, and the seconds by the clock


class Worker(Protocol):
    """Who answers one question at a time."""

    def ask(self, question: Callable[[Check], Result], check: Check) -> Result:
        """The answer, or what the question raises; BrokenExecutor where the worker died of it."""

    def close(self) -> None:
        """End."""


@dataclass(frozen=True)
class _Ticket:
    number: int
    order_id: str
    done: Callable[[Verdict], None]


class Workers:
    """The CheckQueue. `worker` makes one of `workers`; `judge` runs on it. Safe from any thread."""

    def __init__(
        self, worker: Callable[[], Worker], judge: Judge, workers: int, most_waiting: int | None = None
    ) -> None:
        self._judge, self._workers = judge, workers
        self._most = workers * WAIT_FOR_EACH if most_waiting is None else most_waiting
        self._changed = threading.Condition()
        self._line: dict[int, _Ticket] = {}  # in order: those that are not answered
        self._first = deque[Callable[[Worker], None]]()  # short questions, which somebody waits for
        self._checks = deque[Callable[[Worker], None]]()
        self._numbers = itertools.count()
        self._seconds = _FIRST_GUESS
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, args=(worker(),), name=f"checks-{at}", daemon=True)
            for at in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, check: Check, done: Callable[[Verdict], None]) -> QueuePlace:
        """Take a check, or CheckRefused(BUSY) with the seconds after which those before it are through."""
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
        """How long the check of this order still takes; without one, or when it is answered, how long a new one."""
        with self._changed:
            places = [at for at, ticket in enumerate(self._line.values()) if ticket.order_id == order_id]
            return self._waiting(places[-1] if places else len(self._line))

    def ask(self, question: Callable[[Check], Result], check: Check) -> Future[Result]:
        """Ask the next worker that is free, before the checks that wait. CheckerDown."""
        future = Future[Result]()
        with self._changed:
            if self._closed:
                raise CheckerDown("the workers have ended")
            self._first.append(partial(_answered, future, question, check))
            self._changed.notify()
        return future

    def close(self) -> None:
        """End. What waits is answered as lost; what runs is finished."""
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
            if self._first:  # also when it ends: somebody waits for the answer
                return self._first.popleft()
            return None if self._closed else self._checks.popleft()

    def _check(self, ticket: _Ticket, check: Check, worker: Worker) -> None:
        try:
            verdict, seconds = worker.ask(self._judge, check)
        except ReferenceUnusable:
            verdict = Verdict(Outcome.FAILED, (CheckReason.NO_REFERENCE,))
        except (
            Exception
        ) as error:  # broken, hanging, a supplier that is away, a defect of ours: all our fault
            _log.warning("a check of %s was lost: %s", ticket.order_id, type(error).__name__)
            verdict = _lost()
        else:
            with self._changed:
                self._seconds += _WEIGHT * (seconds - self._seconds)
        self._answer(ticket, verdict)

    def _answer(self, ticket: _Ticket, verdict: Verdict) -> None:
        with self._changed:
            mine = self._line.pop(ticket.number, None)
        if mine:
            try:
                mine.done(verdict)
            except Exception as error:  # the worker goes on with the next one
                _log.error("the verdict on %s was not taken: %s", ticket.order_id, type(error).__name__)

    def _waiting(self, ahead: int) -> QueuePlace:
        return QueuePlace(ahead, round(self._reckoned(ahead), 1))

    def _reckoned(self, ahead: int) -> float:
        return (ahead // self._workers + 1) * self._seconds


class OnWorkers:
    """The embedded Checker for the process that serves: it draws itself, and leaves pictures to the workers."""

    name = EmbeddedChecker.name

    def __init__(self, workers: Workers, policy: IdentityPolicy) -> None:
        self._workers, self._policy = workers, policy

    def enrol(self, reference: bytes) -> None:
        """See on a worker whether the photo can be compared with; ReferenceUnusable, CheckerDown."""
        self._answer(_enrol, Check("", (), reference, ()), _ENROL_WITHIN)

    def challenge(self, draw: Random) -> tuple[Step, ...]:
        """Gestures drawn by lot."""
        return steps_of(self._policy, draw)

    def check(self, check: Check) -> Verdict:
        """Judge on a worker, and wait for it; ReferenceUnusable, CheckerDown."""
        return self._answer(_judge, check, LONGEST + _STARTS_WITHIN)[0]

    def close(self) -> None:
        """The workers are closed by whoever made them."""

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
    """The embedded check on `workers` processes. They start with the first check, and end with this process."""
    queue = Workers(partial(Process, policy), _judge, workers, most_waiting)
    return OnWorkers(queue, policy), queue


def on_threads(
    make: Callable[[], Checker], workers: int, most_waiting: int | None = None
) -> tuple[Checker, Workers]:
    """A Checker that is safe to share, such as a vendor's, on `workers` threads."""
    checker = make()
    return checker, Workers(_Here, partial(_timed, checker), workers, most_waiting)


class _Here:
    """A worker on the thread that asks it."""

    def ask(self, question: Callable[[Check], Result], check: Check) -> Result:
        """The answer, or what the question raises."""
        return question(check)

    def close(self) -> None:
        """Nothing is held."""


class Process:
    """A worker in a process of its own: made when it is first asked, and anew after it died. For one thread."""

    def __init__(
        self, policy: IdentityPolicy, longest: float = LONGEST, starts_within: float = _STARTS_WITHIN
    ) -> None:
        self._policy, self._longest, self._starts_within = policy, longest, starts_within
        self._pool: ProcessPoolExecutor | None = None

    def ask(self, question: Callable[[Check], Result], check: Check) -> Result:
        """The answer, or what the question raises; BrokenExecutor, TimeoutError where the process dies or hangs."""
        try:
            asked = self._started().submit(question, check)
        except BrokenExecutor:  # it died while nobody asked: nothing is lost
            self.close()
            asked = self._started().submit(question, check)
        try:
            return asked.result(self._longest + self._starts_within)
        except (BrokenExecutor, TimeoutError):
            self._kill()
            raise

    def close(self) -> None:
        """End the process."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        self._pool = None

    def _kill(self) -> None:
        """End a process that would not: it would keep this one from ending, too."""
        for process in list((self._pool._processes or {}).values()) if self._pool else ():
            process.kill()
        self.close()

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),  # a fork of a process with threads can hang
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

# TensorFlow Lite's and absl's lines of severity INFO, and absl's word that it was not set up
_INFORMATION = re.compile(rb"INFO: |I\d{4} \d\d:|WARNING: All log messages before absl::InitializeLog")

_checker: EmbeddedChecker | None = None
_longest = LONGEST


def _begin(policy: IdentityPolicy, longest: float) -> None:
    """A worker begins: the parent says when it ends, by word or by dying."""
    global _checker, _longest  # noqa: PLW0603  # one engine for each process, made before the first check
    _longest = longest
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_ends_with, args=(parent.sentinel,), daemon=True).start()
    with without_information():
        _checker = EmbeddedChecker(policy)
    # from here on libraries in C speak about strangers' pictures, a line for each: nobody reads that
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


@contextlib.contextmanager
def without_information() -> Iterator[None]:
    """Keep off the error output what libraries in C tell about themselves, and pass on everything else they say."""
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
    """The engine, for so long: a worker that hangs in a part of C ends by this."""
    assert _checker is not None  # noqa: S101  # _begin ran before
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
