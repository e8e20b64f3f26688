"""Takes decisions into the order book: each once, whatever crashes in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Protocol

from duanka.domain.authority import Permission, authorize
from duanka.domain.order import SYSTEM, Demand, Person
from duanka.orders.book import OrderBook, Received, receive_in
from duanka.orders.positions import position_of, remember
from duanka.orders.store import Store
from duanka.orders.turn import Turn

_AT_ONCE = 500


class Decisions(Protocol):
    """A file of decisions that may grow. `source`: where it is."""

    source: str

    def demands(self, position: int, limit: int) -> tuple[Sequence[Demand], int]:
        """Up to `limit` decisions after `position`, and where to go on."""

    def digest(self, position: int) -> str:
        """Tells whether it is still the file that was read up to `position`."""


class Intake:
    """Takes what is new in `decisions`. A file that was replaced by another is read from its beginning."""

    def __init__(self, book: OrderBook, decisions: Decisions) -> None:
        self._book, self._decisions = book, decisions
        self._position = _known(book.store, decisions)

    def take(self, now: datetime, limit: int = _AT_ONCE, by: Person = SYSTEM) -> Received | None:
        """Take up to `limit` decisions, the orders and how far we are in one transaction; None: nothing is new.

        `by`: who takes them; NotTheirs where they may not.
        """
        authorize(by, Permission.TAKE_DECISIONS)
        demands, position = self._decisions.demands(self._position, limit)
        if not demands:
            return None
        digest = self._decisions.digest(position)

        def work(turn: Turn) -> Received:
            remember(turn.connection, self._decisions.source, position, digest)
            if by is not SYSTEM:
                said: dict[str, object] = {"decisions": len(demands), "digest": digest}
                turn.note(by, "decisions.take", "decisions", self._decisions.source, {}, said)
            return receive_in(turn, demands, by)

        received = self._book.turn(work, now)
        self._position = position
        return received

    def take_all(self, now: datetime, by: Person = SYSTEM) -> Received:
        """Take everything that is there, as `take`."""
        counts: Counter[str] = Counter()
        while received := self.take(now, by=by):
            counts.update(asdict(received))
        return Received(**counts)


def _known(store: Store, decisions: Decisions) -> int:
    with store.reading() as connection:
        position, digest = position_of(connection, decisions.source)
    return position if decisions.digest(position) == digest else 0
