"""The line before the workers: in order, bounded, honest about its length, and answered once whatever happens."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import TypeVar

import pytest

from duanka.domain.identity import (
    Check,
    CheckerDown,
    CheckReason,
    CheckRefused,
    Outcome,
    ReferenceUnusable,
    Step,
    Verdict,
)
from duanka.domain.identity_policy import IdentityPolicy
from duanka.identity import worker_pool as workers
from duanka.identity.embedded.checker import steps_of
from duanka.identity.worker_pool import Workers
from support.waiting import HANG, until

POLICY = IdentityPolicy()
LOST = Verdict(Outcome.FAILED, (CheckReason.LOST,))
PASSED = Verdict(Outcome.PASSED, similarity=0.8)
Result = TypeVar("Result")


def check(order: str = "V1") -> Check:
    return Check(order, (), b"", ())


class Gate:
    """A judge that waits until it is let go, and knows what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.takes = 0.0  # seconds, as it says
        self.fails: Exception | None = None
        self._let = threading.Semaphore(0)

    def __call__(self, asked: Check) -> tuple[Verdict, float]:
        self.asked.append(asked.order_id)
        assert self._let.acquire(timeout=HANG)
        if self.fails:
            raise self.fails
        return PASSED, self.takes

    def let(self, many: int) -> None:
        for _ in range(many):
            self._let.release()


class Thread:
    """A worker on the thread that asks."""

    def ask(self, question: Callable[[Check], Result], asked: Check) -> Result:
        return question(asked)

    def close(self) -> None:
        pass


@contextlib.contextmanager
def line(many: int, most: int | None = None) -> Iterator[tuple[Workers, Gate]]:
    gate = Gate()
    queue = Workers(Thread, gate, many, most)
    try:
        yield queue, gate
    finally:
        gate.let(1000)
        queue.close()


class Answers:
    """What was answered, by order, in the order of the answers."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Verdict]] = []

    def to(self, order: str) -> Callable[[Verdict], None]:
        return lambda verdict: self.got.append((order, verdict))


def test_checks_are_judged_in_the_order_in_which_they_came_and_answered_once() -> None:
    answers = Answers()
    with line(1) as (queue, gate):
        places = [queue.submit(check(f"V{at}"), answers.to(f"V{at}")).place for at in range(5)]
        assert places == list(range(5))
        gate.let(5)
        until(lambda: len(answers.got) == 5)
        assert gate.asked == [f"V{at}" for at in range(5)]
    assert answers.got == [(f"V{at}", PASSED) for at in range(5)]


def test_no_more_wait_than_may_and_whoever_is_refused_is_told_how_long() -> None:
    answers = Answers()
    with line(2, most=4) as (queue, gate):
        for at in range(4):
            queue.submit(check(f"V{at}"), answers.to(f"V{at}"))
        with pytest.raises(CheckRefused) as refused:
            queue.submit(check("V5"), answers.to("V5"))
        assert refused.value.reason is CheckReason.BUSY
        assert refused.value.wait == 4  # seconds: two rounds before it and its own, each 1.5
        gate.let(1)
        until(lambda: len(answers.got) == 1)
        queue.submit(check("V6"), answers.to("V6"))
    assert "V5" not in dict(answers.got)


def test_place_and_time_are_reckoned_from_what_the_last_checks_took() -> None:
    with line(2) as (queue, gate):
        gate.takes = 4.0
        until(lambda: queue.expected().place == 0)
        first = queue.expected().seconds
        assert first == 1.5
        for at in range(40):
            queue.submit(check(f"V{at}"), lambda _: None)
        assert (queue.expected("V0").place, queue.expected("V39").place) == (0, 39)
        assert queue.expected("V39").seconds == 20 * first, "two at a time"
        assert queue.expected().place == 40
        gate.let(38)
        until(lambda: queue.expected().place == 2)  # the last two are under way
        assert 3.9 < queue.expected("V39").seconds <= 4.0, "from the running mean"
        assert queue.expected("V0") == queue.expected(), "answered: as a new one"


def test_what_a_worker_raises_is_our_fault_but_for_the_registered_photo(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers = Answers()
    raised = [RuntimeError("a secret"), CheckerDown("away"), ReferenceUnusable("no face"), None]
    with line(1) as (queue, gate):
        for at, fails in enumerate(raised, 1):
            gate.fails = fails
            queue.submit(check(f"V{at}"), answers.to(f"V{at}"))
            gate.let(1)
            until(partial(_many, answers, at))
    said = [verdict.reasons for _, verdict in answers.got]
    assert said == [(CheckReason.LOST,), (CheckReason.LOST,), (CheckReason.NO_REFERENCE,), ()]
    assert not any(verdict.counted for _, verdict in answers.got)
    assert "a check of V1 was lost: RuntimeError" in caplog.text
    assert "secret" not in caplog.text


def _many(answers: Answers, many: int) -> bool:
    return len(answers.got) == many


def test_who_cannot_take_a_verdict_does_not_stop_the_line(caplog: pytest.LogCaptureFixture) -> None:
    answers = Answers()

    def cannot(_: Verdict) -> None:
        raise OSError("no space")

    with line(1) as (queue, gate):
        queue.submit(check("V0"), cannot)
        queue.submit(check("V1"), answers.to("V1"))
        gate.let(2)
        until(lambda: answers.got)
    assert "the verdict on V0 was not taken: OSError" in caplog.text


def test_a_question_that_somebody_waits_for_comes_before_the_checks() -> None:
    with line(1) as (queue, gate):
        for at in range(5):
            queue.submit(check(f"V{at}"), lambda _: None)
        until(lambda: gate.asked)
        asked = queue.ask(lambda one: (one.order_id, list(gate.asked)), check("photo"))
        given_up = queue.ask(lambda one: one, check())
        assert given_up.cancel()
        gate.let(1)
        assert asked.result(HANG) == ("photo", ["V0"])


def test_closing_answers_what_waits_and_finishes_what_runs() -> None:
    answers, gate = Answers(), Gate()
    queue = Workers(Thread, gate, 1)
    for at in range(3):
        queue.submit(check(f"V{at}"), answers.to(f"V{at}"))
    until(lambda: gate.asked)
    closing = threading.Thread(target=queue.close)
    closing.start()
    gate.let(1)
    closing.join(HANG)
    assert answers.got == [("V0", PASSED), ("V1", LOST), ("V2", LOST)]
    with pytest.raises(CheckRefused):
        queue.submit(check(), answers.to("late"))
    with pytest.raises(CheckerDown):
        queue.ask(lambda one: one, check())
    queue.close()
    assert len(answers.got) == 3


def test_many_threads_at_once_lose_nothing_and_double_nothing() -> None:
    answers, refused = Answers(), list[int]()
    queue = Workers(Thread, lambda _: (PASSED, 0.0), 3, most_waiting=50)

    def submit(which: int) -> None:
        for at in range(50):
            order = f"V{which}-{at}"
            try:
                queue.submit(check(order), answers.to(order))
            except CheckRefused:
                refused.append(at)

    threads = [threading.Thread(target=submit, args=(which,)) for which in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.close()
    orders = [order for order, _ in answers.got]
    assert len(orders) == len(set(orders)) == 400 - len(refused)


class Supplier:
    """A vendor, as far as the line is concerned."""

    name = "vendor"

    def enrol(self, reference: bytes) -> None: ...

    def challenge(self, draw: Random) -> tuple[Step, ...]:
        return steps_of(POLICY, draw)

    def check(self, check: Check) -> Verdict:
        if check.order_id == "away":
            raise CheckerDown("away")
        return PASSED

    def close(self) -> None: ...


def test_a_vendor_is_asked_on_threads() -> None:
    answers = Answers()
    checker = Supplier()
    queue = workers.on_threads(checker, 2)
    assert checker.name == "vendor"
    for order in ("V1", "away"):
        queue.submit(check(order), answers.to(order))
    until(lambda: len(answers.got) == 2)
    queue.close()
    assert dict(answers.got) == {"V1": PASSED, "away": LOST}
