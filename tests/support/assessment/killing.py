"""Kills between any two steps that last: commits of the order database, files of the store, and of a proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from duanka.domain.network import Refusal
from duanka.engine.store.refusal_archive import StoredRefusals
from duanka.ledger.db.database import Store
from duanka.network.sip.element import CallProxy


class Killed(BaseException):
    """As if the process ended here; nothing catches it."""


@dataclass
class Steps:
    """Counts steps that last, and ends before step number `at`; `done`: how many there were."""

    at: int
    done: int = 0

    def take(self, step: Callable[[], Any]) -> Any:
        self.done += 1
        if self.done == self.at:
            raise Killed
        return step()


@contextmanager
def killed(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every write of the collector, the mover and the counting is a step."""
    transact, keep = Store.transact, StoredRefusals.keep
    forget, forget_losses = CallProxy.forget, CallProxy.forget_losses

    def transacted(self: Store, work: Any, *rest: Any) -> Any:
        return steps.take(lambda: transact(self, work, *rest))

    def kept(self: StoredRefusals, rows: Sequence[Refusal], now: datetime) -> Any:
        return steps.take(lambda: keep(self, rows, now))

    with monkeypatch.context() as patch:
        patch.setattr(Store, "transact", transacted)
        patch.setattr(StoredRefusals, "keep", kept)
        patch.setattr(CallProxy, "forget", lambda self, at: steps.take(lambda: forget(self, at)))
        patch.setattr(
            CallProxy, "forget_losses", lambda self, keys: steps.take(lambda: forget_losses(self, keys))
        )
        yield
