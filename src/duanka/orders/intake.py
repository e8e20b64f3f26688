"""Takes decisions into the order book: each once, whatever crashes in between."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol
from zlib import crc32

from duanka.domain.authority import Permission, authorize
from duanka.domain.errors import UnreadableInput
from duanka.domain.judgement import CLAIMED
from duanka.domain.order import SYSTEM, Demand, NotTheirs, Person, TooManyHolders
from duanka.domain.words import Words
from duanka.orders.alarms import Alarms
from duanka.orders.book import OrderBook, Received, receive_in
from duanka.orders.bulk import upsert
from duanka.orders.isolation import is_outage
from duanka.orders.positions import position_of, remember
from duanka.orders.store import Store
from duanka.orders.tables import decisions_taken
from duanka.orders.turn import Turn
from duanka.orders.waiting import UNSIGNED, watch_claims

_AT_ONCE = 500
_DECISION = Words(
    "处置决定", "the decision"
)  # named by the checksum of its file's path, and the byte where it begins
_UNSEALED = "unsealed decisions"  # source of an alarm

_log = logging.getLogger("duanka.orders.intake")


class Decisions(Protocol):
    """A file of decisions that may grow. `source`: where it is."""

    source: str

    def demands(self, position: int, limit: int) -> tuple[Sequence[Demand], int]:
        """Up to `limit` decisions after `position`, and where to go on; raises where one of them cannot be read."""

    def behind(self, position: int) -> int:
        """Where the decision after the one at `position` begins."""

    def digest(self, position: int) -> str:
        """Tells whether it is still the file that was read up to `position`."""


class Intake:
    """Takes what is new in `decisions`. A file that was replaced by another is read from its beginning.

    A sealed decision counts once, in whatever file it stands. `signers`: asks whose signature of police cases counts
    now; None: of whoever signed when it was decided.
    """

    def __init__(
        self, book: OrderBook, decisions: Decisions, signers: Callable[[], frozenset[str]] | None = None
    ) -> None:
        self._book, self._decisions, self._signers = book, decisions, signers
        self._alarms = Alarms(book.store, _log.warning, timedelta())
        self._position = _known(book.store, decisions)
        self._unsealed = 0  # stops without a seal that came since this intake began

    def take(self, now: datetime, limit: int = _AT_ONCE, by: Person = SYSTEM) -> Received | None:
        """Take up to `limit` decisions, the orders and how far we are in one transaction; None: nothing is new.

        A decision that cannot be read or processed is set aside by itself, and an alarm says where it stands.
        `by`: who takes them; NotTheirs where they may not. DuankaError where already the first line is none: that is
        no file of decisions.
        """
        authorize(by, Permission.TAKE_DECISIONS)
        begin = self._position
        try:
            return self._take(now, limit, by)
        except Exception as error:
            if is_outage(error) or isinstance(error, NotTheirs | TooManyHolders):
                raise
        counts: Counter[str] = Counter()
        for _ in range(limit):
            before = self._position
            try:
                received = self._take(now, 1, by)
            except Exception as error:
                if (
                    is_outage(error)
                    or isinstance(error, TooManyHolders)
                    or (before == 0 and isinstance(error, UnreadableInput))
                ):
                    raise
                self._pass_over(error, now)
                received = Received(aside=1)
            if received is None:
                break
            counts.update(asdict(received))
        return Received(**counts) if self._position != begin else None

    def _take(self, now: datetime, limit: int, by: Person) -> Received | None:
        """Take up to `limit` decisions, all or none."""
        demands, position = self._decisions.demands(self._position, limit)
        if not demands:
            return None
        digest = self._decisions.digest(position)
        demands = self._signed(demands)

        def work(turn: Turn) -> Received:
            remember(turn.connection, self._decisions.source, position, digest)
            if by is not SYSTEM:
                said: dict[str, object] = {"decisions": len(demands), "digest": digest}
                turn.note(by, "decisions.take", "decisions", self._decisions.source, {}, said)
            turn.lock([demand.card for demand in demands])
            new = _first_time(turn, demands)
            received = receive_in(turn, new, by)
            return replace(received, left=received.left + len(demands) - len(new))

        received = self._book.turn(work, now)
        self._position = position
        if received.unsealed_stops:
            self._unsealed += received.unsealed_stops
            count, where = self._unsealed, Path(self._decisions.source).parent.name
            detail = (
                f"{where}：{count} 条停机无签章，改为核验 / {count} stop(s) without our seal, made questions"
            )
            self._alarms.say_now(_UNSEALED, now, detail)
        if any(CLAIMED in demand.rules for demand in demands) and not self._alarms.is_open(UNSIGNED, now):
            watch_claims(self._book.store, self._alarms, now)  # from then on the worker counts them
        return received

    def _signed(self, demands: Sequence[Demand]) -> Sequence[Demand]:
        """Only of sources that count now: one may have been removed since it was decided."""
        if self._signers is None or not any(demand.signed_by for demand in demands):
            return demands
        names = self._signers()
        return [
            replace(demand, signed_by=tuple(name for name in demand.signed_by if name in names))
            for demand in demands
        ]

    def _pass_over(self, error: Exception, now: datetime) -> None:
        """Set the next decision aside."""
        source, position = self._decisions.source, self._decisions.behind(self._position)
        digest = self._decisions.digest(position)
        self._book.turn(lambda turn: remember(turn.connection, source, position, digest), now)
        name = f"{crc32(source.encode(errors='replace')):08x}@{self._position}"
        self._book.set_aside(_DECISION, name, error, now)
        self._position = position

    def take_all(self, now: datetime, by: Person = SYSTEM) -> Received:
        """Take everything that is there, as `take`."""
        counts: Counter[str] = Counter()
        while received := self.take(now, by=by):
            counts.update(asdict(received))
        if self._alarms.is_open(UNSIGNED, now):
            watch_claims(self._book.store, self._alarms, now)
        return Received(**counts)


def _first_time(turn: Turn, demands: Sequence[Demand]) -> list[Demand]:
    """Those that were not taken before, from this file or a copy of it."""
    ids = [demand.decision for demand in demands if demand.decision]
    if not ids:
        return list(demands)
    put = upsert(turn.connection, decisions_taken).values([{"decision": one, "at": turn.now} for one in ids])
    put = put.on_conflict_do_nothing().returning(decisions_taken.c.decision)
    new = set(turn.connection.execute(put).scalars())
    return [demand for demand in demands if not demand.decision or demand.decision in new]


def _known(store: Store, decisions: Decisions) -> int:
    with store.reading() as connection:
        position, digest = position_of(connection, decisions.source)
    return position if decisions.digest(position) == digest else 0
