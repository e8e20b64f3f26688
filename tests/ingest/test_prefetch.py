"""The thread that reads ahead of the rules: never far, and its errors are heard."""

from __future__ import annotations

import threading
import time
from collections import deque

import pytest

from duanka.domain.streaming import Batch
from duanka.ingest.live.prefetch import DEPTH, HandOn, prefetch
from support.waiting import HANG


def test_reading_runs_ahead_by_two_batches_at_most() -> None:
    out: deque[int] = deque()
    ready = threading.Event()

    def work(hand_on: HandOn) -> None:
        for number in range(20):
            if not hand_on(Batch(records=number)):
                return
            out.append(number)
            if len(out) > DEPTH:
                ready.set()

    batches = prefetch(work, threading.Event(), 10)
    for number in range(10):
        assert next(batches).records == number
        if number == 0:
            assert ready.wait(HANG)
        time.sleep(0.02)
        assert len(out) <= number + 1 + DEPTH == number + 3
    batches.close()  # type: ignore[attr-defined]
    assert len(out) < 20


def test_an_error_comes_behind_the_batches_before_it() -> None:
    def work(hand_on: HandOn) -> None:
        hand_on(Batch(records=1))
        raise KeyError("what went wrong")

    batches = prefetch(work, threading.Event(), 10)
    assert next(batches).records == 1
    with pytest.raises(KeyError, match="what went wrong"):
        next(batches)
    assert not [t for t in threading.enumerate() if t.name == "duanka-intake"]


def test_reading_that_hangs_does_not_hold_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("duanka.ingest.live.prefetch.ENDS_WITHIN", 0.05)
    released = threading.Event()

    def work(hand_on: HandOn) -> None:
        hand_on(Batch(records=1))
        released.wait(HANG)  # as a call to the system may

    stop = threading.Event()
    batches = prefetch(work, stop, 10)
    assert next(batches).records == 1
    stop.set()
    assert list(batches) == []
    assert "reading does not end" in caplog.text
    released.set()
