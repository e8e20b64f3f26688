"""Orders, looks and platforms in a process of its own that ends by kill -9 at a step of it."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from duanka.bootstrap.casework.accounts import link_to
from duanka.domain.linked_accounts import AccountPlatform, OutgoingMessage, PlatformLink, SignedAnswer
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from support.casework.account_scene import AccountScene
from support.orders.books import KEY

STEPS = (
    *("the trail is to be written", "the trail is written", "the order is stored", "the look is stored"),
    *("a message is to be sent", "a message was sent", "answers are to be asked", "answers came"),
    "answers are kept",
)
Reached = Callable[[str], None]
Acts = Callable[[AccountScene], object]


class _Trail(Trail):
    """A trail that says where it is."""

    reached: Reached

    def append(self, connection: Connection, entries: Sequence[AuditEntry]) -> None:
        self.reached("the trail is to be written")
        super().append(connection, entries)
        self.reached("the trail is written")


class _Link:
    """A link that says where it is."""

    def __init__(self, link: PlatformLink, reached: Reached) -> None:
        self._link, self._reached = link, reached

    def send(self, message: OutgoingMessage) -> SignedAnswer | None:
        self._reached("a message is to be sent")
        answer = self._link.send(message)
        self._reached("a message was sent")
        return answer

    def answers(self, requests: Sequence[str]) -> list[SignedAnswer]:
        self._reached("answers are to be asked")
        found = list(self._link.answers(requests))
        self._reached("answers came")
        return found

    def taken(self, answers: Sequence[SignedAnswer]) -> None:
        self._reached("answers are kept")
        self._link.taken(answers)

    def close(self) -> None:
        self._link.close()


def killed(url: str, folder: Path, step: str, time: int, at: datetime, acts: Acts) -> bool:
    """Whether kill -9 came when `step` was reached for the `time`-th time, before all was done once."""
    if child := os.fork():
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert ended in (0, -signal.SIGKILL), ended
        return ended == -signal.SIGKILL
    code = 1
    gc.disable()  # it would free what other threads of the parent, which are not here, had in hand
    try:
        _work(url, folder, step, time, at, acts)
        code = 0
    finally:
        os._exit(code)


def _work(url: str, folder: Path, step: str, time: int, at: datetime, acts: Acts) -> None:
    left = time

    def reached(name: str) -> None:
        nonlocal left
        left -= name == step
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def opens(platform: AccountPlatform) -> Any:
        return _Link(link_to(platform), reached)

    trail = _Trail(KEY)
    trail.reached = reached
    scene = AccountScene(Store(url), folder, trail=trail)
    acts(scene)
    reached("the order is stored")
    scene.look(at)
    reached("the look is stored")
    scene.dispatch(at, opens)
