"""Intake of decisions into the order database: exactly once, also after a crash."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol
from zlib import crc32

from duanka.domain.authority import Permission, authorize
from duanka.domain.errors import UnreadableInput
from duanka.domain.order import SYSTEM, Kind, PermissionDenied, Person, TooManyHolders
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.police_reasons import CLAIMED
from duanka.domain.take import EVERYTHING, Choice, coverage_of
from duanka.domain.text import BilingualText
from duanka.ledger.db.bulk import upsert
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import decisions_taken
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.monitoring.isolation import is_outage
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.intake.kept_decisions import forget_replaced, settle, sort, still_signed, untaken
from duanka.orders.intake.receiving import NOT_BEGUN, Received, receive_in
from duanka.orders.intake.take_record import Narrower, TakeRecord, folder_of
from duanka.orders.monitoring.offsets import position_of, store_offset
from duanka.orders.monitoring.waiting import UNSIGNED, watch_claims
from duanka.orders.service import OrderService

_BATCH_DECISIONS = 500
# Name in alarms of a decision that was set aside; its id there is the CRC of its file's path and its offset.
_DECISION = BilingualText("研判结果", "the decision")
_UNSEALED, NARROWER = "unsealed decisions", "withdrawals wait"  # sources of alarms

_log = logging.getLogger("duanka.orders.intake.decisions")


class DecisionSource(Protocol):
    """A file of decisions that may grow. `source`: its path."""

    source: str

    def read(self, position: int, limit: int) -> tuple[Sequence[OrderDecision], int]:
        """Read up to `limit` decisions after `position`; also return the next position.

        Raises if one of them cannot be read.
        """

    def behind(self, position: int) -> int:
        """Return the position after the decision at `position`, without parsing it."""

    def digest(self, position: int) -> str:
        """Return a digest that tells whether the file up to `position` is still the same."""

    def run(self) -> str:
        """Return the run id of its first sealed decision; "" if none is sealed."""


class DecisionIntake:
    """Takes new decisions from one file; a replaced file is read from its beginning.

    A sealed decision is taken once, even if several files contain it. `signers`: returns the sources whose signatures
    on police cases are valid now; None: signatures count as in the decision. `keep_all`: make no orders yet, except
    stops signed by the police; store the other requests, to choose from later (see `kept_decisions`). Withdrawals are
    then taken if `choice` selects their operator and city; its other conditions do not apply to them.
    """

    def __init__(
        self,
        order_service: OrderService,
        decisions: DecisionSource,
        signers: Callable[[], frozenset[str]] | None = None,
        choice: Choice = EVERYTHING,
        *,
        keep_all: bool = False,
    ) -> None:
        self._orders, self._decisions, self._signers = order_service, decisions, signers
        self._choice, self._keep_all = choice, keep_all
        self._alarms = AlarmService(order_service.store, _log.warning)
        self._position, self._replaced = _known(order_service.store, decisions)
        self._unsealed = 0  # stops turned into verifications since this object was made
        self.record = TakeRecord(decisions.source, choice)
        self.replaced = 0  # decisions of an earlier file that nobody took

    def take(self, now: datetime, limit: int = _BATCH_DECISIONS, by: Person = SYSTEM) -> Received | None:
        """Take up to `limit` decisions, with the offset in one commit; None: none is new.

        A decision that cannot be read or processed is set aside alone, with an alarm that names its position.
        PermissionDenied: `by` may not. DuankaError: the first line is no decision, so this is no file of decisions.
        """
        authorize(by, Permission.TAKE_DECISIONS)
        begin = self._position
        try:
            return self._take(now, limit, by)
        except Exception as error:
            if is_outage(error) or isinstance(error, PermissionDenied | TooManyHolders):
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
        decisions, position = self._decisions.read(self._position, limit)
        if not decisions:
            return None
        digest = self._decisions.digest(position)
        decisions = still_signed(decisions, self._signers) if self._signers else decisions

        def work(unit: UnitOfWork) -> tuple[Received, int, Narrower | None, str, Counter[str]]:
            store_offset(unit.connection, self._decisions.source, position, digest)
            source = self._decisions.source
            replaced = forget_replaced(unit, source, self._decisions.run()) if self._replaced else 0
            unit.lock([decision.card for decision in decisions])
            found = self.record.narrower_than(unit.connection, decisions)
            waits = withdrawals(unit, decisions) if found else frozenset()
            split = sort(unit, decisions, self._choice, waits=waits, keep_all=self._keep_all)
            new = first_time(unit, split.taken)
            received = receive_in(unit, new, by)
            kept = untaken(unit.connection, [one for one, _ in split.kept])
            left = received.left + len(decisions) - len(new) - len(kept)
            received = replace(received, left=left, kept=len(kept))
            counts = {name: count for name, count in asdict(received).items() if count}
            covers = coverage_of(decisions[-1].covers)
            number, whole = self.record.write(unit, by, counts, decisions[-1].run, covers, found)
            here = {id(one) for one in kept}
            split = replace(split, kept=[(one, why) for one, why in split.kept if id(one) in here])
            settle(unit, split, source, number, by)
            if by is not SYSTEM:
                said: dict[str, object] = {"decisions": len(decisions), "digest": digest, "take": number}
                said |= {"kept": len(kept)} if kept else {}
                unit.note(by, "decisions.take", "decisions", self._decisions.source, {}, said)
            return received, replaced, found if waits else None, number, whole

        received, replaced, found, number, whole = self._orders.transaction(work, now)
        self._position, self._replaced = position, False
        self.replaced += replaced
        self.record.written(number, whole, now)
        if found:
            self.record.narrower = found
            if by is SYSTEM:
                self._say_narrower(found, now)
        if received.unsealed_stops:
            self._unsealed += received.unsealed_stops
            count, where = self._unsealed, Path(self._decisions.source).parent.name
            detail = (
                f"{where}：{count} 条停机无签章，改为核验 / {count} stop(s) without our seal, made questions"
            )
            self._alarms.say_now(_UNSEALED, now, detail)
        if any(CLAIMED in decision.rules for decision in decisions) and not self._alarms.is_open(
            UNSIGNED, now
        ):
            # The first alarm; afterwards the worker updates the number in it.
            watch_claims(self._orders.store, self._alarms, now)
        return received

    def _say_narrower(self, found: Narrower, now: datetime) -> None:
        """Raise an alarm that withdrawals wait for a person, and how to take them."""
        folder = folder_of(self._decisions.source)
        detail = (
            f"{folder}：数据少于上次，撤销未执行 / withdrawals wait, for its records cover less than those of the take"
            f" before: `duanka orders take {folder} --yes`"
        )
        self._alarms.say_now(NARROWER, now, detail)

    def _pass_over(self, error: Exception, now: datetime) -> None:
        """Set the next decision aside."""
        source, position = self._decisions.source, self._decisions.behind(self._position)
        digest = self._decisions.digest(position)
        self._orders.transaction(lambda unit: store_offset(unit.connection, source, position, digest), now)
        name = f"{crc32(source.encode(errors='replace')):08x}@{self._position}"
        self._orders.set_aside(_DECISION, name, error, now)
        self._position = position

    def take_all(self, now: datetime, by: Person = SYSTEM) -> Received:
        """Take all new decisions, as `take`."""
        counts: Counter[str] = Counter()
        while received := self.take(now, by=by):
            counts.update(asdict(received))
        if self._alarms.is_open(UNSIGNED, now):
            watch_claims(self._orders.store, self._alarms, now)
        return Received(**counts)


def withdrawals(unit: UnitOfWork, decisions: Sequence[OrderDecision]) -> frozenset[str]:
    """Return cards whose unanswered verification a new decision would withdraw."""
    cards = set[str]()
    for decision in untaken(
        unit.connection, [one for one in decisions if one.asked is RequestedAction.NOTHING]
    ):
        order = unit.open_order(decision.card, Kind.VERIFICATION)
        if order is not None and order.state in NOT_BEGUN:
            cards.add(decision.card)
    return frozenset(cards)


def first_time(unit: UnitOfWork, decisions: Sequence[OrderDecision]) -> list[OrderDecision]:
    """Record decisions as taken; return those not taken before, from any file.

    An unsealed decision has no id, so it always counts as new.
    """
    ids = [decision.id for decision in decisions if decision.id]
    if not ids:
        return list(decisions)
    put = upsert(unit.connection, decisions_taken).values([{"decision": one, "at": unit.now} for one in ids])
    put = put.on_conflict_do_nothing().returning(decisions_taken.c.decision)
    new = set(unit.connection.execute(put).scalars())
    return [decision for decision in decisions if not decision.id or decision.id in new]


def _known(store: Store, decisions: DecisionSource) -> tuple[int, bool]:
    """Return the offset in the file, and whether the file was replaced."""
    with store.reading() as connection:
        position, digest = position_of(connection, decisions.source)
    same = decisions.digest(position) == digest
    return (position if same else 0), bool(position and not same)
