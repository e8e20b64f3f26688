"""Checks wait in one line before a bounded number of workers: processes for the embedded check, threads for a vendor.

A worker that dies, hangs or is away is our fault: its check is answered as lost, which counts for nothing, and a new
worker takes its place. Every check is answered once.
"""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import wait
from random import Random
from typing import TypeVar

from duanka.domain.identity import (
    Check,
    CheckerDown,
    CheckRefused,
    Outcome,
    Reason,
    ReferenceUnusable,
    Step,
    Verdict,
    Waiting,
)
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.identity_ports import Checker
from duanka.identity.embedded import Embedded, steps_of

_log = logging.getLogger("duanka.identity")

WAIT_FOR_EACH = 30  # checks that may wait before each worker: what a holder waits for without going away
LONGEST = 30.0  # seconds that a worker may take for a check
_FIRST_GUESS = 1.5  # seconds of a check before one was measured
_WEIGHT = 0.1  # of the last check in the running mean
_ENROL_WITHIN = 20.0

Result = TypeVar("Result")


@dataclass(frozen=True)
class _Ticket:
    number: int
    order_id: str
    done: Callable[[Verdict], None]


class Workers:
    """The CheckQueue. `pool`: makes the workers, anew where they broke; `judge`: runs on one of them.

    `judge` gives the verdict and the seconds by the clock. Safe from any thread.
    """

    def __init__(
        self,
        pool: Callable[[], Executor],
        judge: Callable[[Check], tuple[Verdict, float]],
        workers: int,
        most_waiting: int | None = None,
    ) -> None:
        self._make, self._judge, self._workers = pool, judge, workers
        self._most = workers * WAIT_FOR_EACH if most_waiting is None else most_waiting
        self._lock = threading.Lock()
        self._pool = pool()
        self._line: dict[int, _Ticket] = {}  # in order: those that are not answered
        self._numbers = itertools.count()
        self._seconds = _FIRST_GUESS
        self._closed = False

    def submit(self, check: Check, done: Callable[[Verdict], None]) -> Waiting:
        """Take a check, or CheckRefused(BUSY) with the seconds after which there is room."""
        with self._lock:
            ahead = len(self._line)
            if self._closed or ahead >= self._most:
                raise CheckRefused(Reason.BUSY, wait=max(1, round(self._reckoned(ahead))))
            ticket = _Ticket(next(self._numbers), check.order_id, done)
            self._line[ticket.number] = ticket
            waiting = self._waiting(ahead)
        try:
            future = self.ask(self._judge, check)
        except BrokenExecutor:
            self._answer(ticket, _lost())
        else:
            future.add_done_callback(partial(self._over, ticket))
        return waiting

    def expected(self, order_id: str | None = None) -> Waiting:
        """How long the check of this order still takes; without one, or when it is answered, how long a new one."""
        with self._lock:
            places = [at for at, ticket in enumerate(self._line.values()) if ticket.order_id == order_id]
            return self._waiting(places[-1] if places else len(self._line))

    def ask(self, question: Callable[[Check], Result], check: Check) -> Future[Result]:
        """Ask a worker; one that broke before is replaced. BrokenExecutor where that does not help."""
        for last in (False, True):
            pool = self._pool
            try:
                return pool.submit(question, check)
            except BrokenExecutor:
                if last:
                    raise
                self._replace(pool)
        raise AssertionError  # unreachable: the last round gives or raises

    def close(self) -> None:
        """End. What waits is answered as lost; what runs is finished."""
        with self._lock:
            self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _over(self, ticket: _Ticket, future: Future[tuple[Verdict, float]]) -> None:
        try:
            verdict, seconds = future.result()
        except ReferenceUnusable:
            verdict = Verdict(Outcome.FAILED, (Reason.NO_REFERENCE,))
        except (
            BaseException
        ) as error:  # cancelled, broken, a supplier that is away, a defect of ours: all our fault
            _log.warning("a check of %s was lost: %s", ticket.order_id, type(error).__name__)
            if isinstance(error, BrokenExecutor):
                self._replace(self._pool)
            verdict = _lost()
        else:
            with self._lock:
                self._seconds += _WEIGHT * (seconds - self._seconds)
        self._answer(ticket, verdict)

    def _answer(self, ticket: _Ticket, verdict: Verdict) -> None:
        with self._lock:
            mine = self._line.pop(ticket.number, None)
        if mine:
            mine.done(verdict)

    def _replace(self, broken: Executor) -> None:
        with self._lock:
            if self._closed or self._pool is not broken or not _broke(broken):
                return
            self._pool = self._make()
        broken.shutdown(wait=False, cancel_futures=True)

    def _waiting(self, ahead: int) -> Waiting:
        return Waiting(ahead, round(self._reckoned(ahead), 1))

    def _reckoned(self, ahead: int) -> float:
        return (ahead // self._workers + 1) * self._seconds


class OnWorkers:
    """The embedded Checker for the process that serves: it draws itself, and leaves pictures to the workers."""

    name = Embedded.name

    def __init__(self, workers: Workers, policy: IdentityPolicy) -> None:
        self._workers, self._policy = workers, policy

    def enrol(self, reference: bytes) -> None:
        """See on a worker whether the photo can be compared with; ReferenceUnusable, CheckerDown."""
        try:
            self._workers.ask(_enrol, Check("", (), reference, ())).result(_ENROL_WITHIN)
        except ReferenceUnusable:
            raise
        except Exception as error:
            raise CheckerDown(f"no worker saw the registered photo: {type(error).__name__}") from None

    def challenge(self, draw: Random) -> tuple[Step, ...]:
        """Gestures drawn by lot."""
        return steps_of(self._policy, draw)

    def check(self, check: Check) -> Verdict:
        """Judge on a worker, and wait for it; CheckerDown."""
        try:
            return self._workers.ask(_judge, check).result(LONGEST)[0]
        except ReferenceUnusable:
            raise
        except Exception as error:
            raise CheckerDown(f"no worker judged the frames: {type(error).__name__}") from None

    def close(self) -> None:
        """The workers are closed by whoever made them."""


def embedded(
    policy: IdentityPolicy, workers: int, most_waiting: int | None = None
) -> tuple[OnWorkers, Workers]:
    """The embedded check on `workers` processes. They start with the first check, and end with this process."""
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads can hang
    pool = partial(
        ProcessPoolExecutor,
        max_workers=workers,
        mp_context=context,
        initializer=_begin,
        initargs=(policy,),
    )
    queue = Workers(pool, _judge, workers, most_waiting)
    return OnWorkers(queue, policy), queue


def on_threads(
    make: Callable[[], Checker], workers: int, most_waiting: int | None = None
) -> tuple[Checker, Workers]:
    """A Checker that is safe to share, such as a vendor's, on `workers` threads."""
    checker = make()
    pool = partial(ThreadPoolExecutor, max_workers=workers, thread_name_prefix="checks")
    return checker, Workers(pool, partial(_timed, checker), workers, most_waiting)


def _lost() -> Verdict:
    return Verdict(Outcome.FAILED, (Reason.LOST,))


def _broke(pool: Executor) -> bool:
    try:
        pool.submit(int)
    except RuntimeError:  # broken, or shut down
        return True
    return False


def _timed(checker: Checker, check: Check) -> tuple[Verdict, float]:
    began = time.monotonic()
    verdict = checker.check(check)
    return verdict, time.monotonic() - began


# --- in a worker process ---

_checker: Embedded | None = None


def _begin(policy: IdentityPolicy) -> None:
    """A worker begins: the parent says when it ends, by word or by dying."""
    global _checker  # noqa: PLW0603  # one engine for each process, made before the first check
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_ends_with, args=(parent.sentinel,), daemon=True).start()
    _checker = Embedded(policy)


def _ends_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _judge(check: Check) -> tuple[Verdict, float]:
    assert _checker is not None  # noqa: S101  # _begin ran before
    signal.setitimer(signal.ITIMER_REAL, LONGEST)  # a worker that hangs in a part of C ends by this
    try:
        return _timed(_checker, check)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _enrol(check: Check) -> None:
    assert _checker is not None  # noqa: S101
    _checker.enrol(check.reference)
