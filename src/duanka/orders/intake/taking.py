"""Takes by a person, of a folder or of held decisions: choose, preview, take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from itertools import chain

from sqlalchemy import Connection, RowMapping, select, update

from duanka.domain.authority import Permission, authorize
from duanka.domain.order import PermissionDenied, Person, State, TooManyHolders
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.take import EVERYTHING, Choice, coverage_of, heaviest_first
from duanka.domain.text import BilingualText
from duanka.ledger.db.bulk import among, in_parts
from duanka.ledger.db.tables import orders
from duanka.ledger.db.tables_takes import kept_decisions
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.monitoring.isolation import each_alone, is_outage
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork, cancelled
from duanka.orders.intake.decisions import NARROWER, DecisionIntake, DecisionSource, first_time, withdrawals
from duanka.orders.intake.kept_decisions import (
    ReadLine,
    Why,
    readable,
    remove,
    sort,
    still_signed,
    untaken,
    waiting,
)
from duanka.orders.intake.receiving import Received, receive_in, receive_one
from duanka.orders.intake.take_record import Narrower, TakeRecord
from duanka.orders.monitoring.offsets import position_of
from duanka.orders.service import OrderService

HELD = "held"  # source of a take of held decisions
HELD_FOR_TWO = "decisions held"  # source of an alarm
_BATCH_DECISIONS = 500
_KEPT = BilingualText("留存研判结果", "a decision that was kept")

Kept = tuple[RowMapping, OrderDecision]


@dataclass(frozen=True)
class TakeResult:
    """Result of a take. `kept`: reason -> number of decisions that made no order now.

    `police`: cards stopped on cases signed by the police, whatever was chosen. `replaced`: decisions left by an
    earlier file that can no longer be taken. `not_found`: cards to hold that have no decision.
    """

    received: Received
    take_id: str | None = None
    kept: Mapping[Why, int] = field(default_factory=dict)
    police: int = 0
    narrower: Narrower | None = None
    replaced: int = 0
    not_found: int = 0


@dataclass(frozen=True)
class Preview(TakeResult):
    """What a take would do. `opened_by`: tier, rule or city -> value -> orders opened."""

    opened_by: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class DecisionTaker:
    """Takes decisions as a person chooses. `decisions` None: the held ones.

    `read`: parses a kept decision; `why`: the person's reason, stored with what they hold.
    """

    def __init__(
        self,
        order_service: OrderService,
        decisions: DecisionSource | None,
        read: ReadLine,
        signers: Callable[[], frozenset[str]],
        choice: Choice = EVERYTHING,
        why: str = "",
    ) -> None:
        self._orders, self._decisions, self._read = order_service, decisions, read
        self._signers, self._choice, self._why = signers, choice, why
        self._intake = (
            DecisionIntake(order_service, decisions, signers, choice, keep_all=choice.selects)
            if decisions
            else None
        )
        self._record = self._intake.record if self._intake else TakeRecord(HELD, choice)

    def take(self, now: datetime, by: Person) -> TakeResult:
        """Read new decisions, make orders of the chosen; errors of `DecisionIntake.take`."""
        authorize(by, Permission.TAKE_DECISIONS)
        counts = Counter[str]()
        if self._intake:
            counts.update(asdict(self._intake.take_all(now, by)))
        with self._orders.store.reading() as connection:
            kept = self._kept_decisions(connection)
        chosen, rest = self._split(kept)
        held = self._hold(rest, now, by)
        for part in in_parts(chosen, _BATCH_DECISIONS):
            counts.update(self._take_some(part, now, by))
        counts["kept"] = 0
        left = self._left()
        self._watch(held, by, now)
        if self._choice.narrower and not left.get(Why.NARROWER):
            AlarmService(self._orders.store).working(NARROWER, now)
        return TakeResult(
            Received(**counts),
            self._record.id,
            left,
            counts["stopped"] if self._choice.selects else 0,
            self._intake.record.narrower if self._intake else None,
            self._intake.replaced if self._intake else 0,
            self._not_found(held),
        )

    def preview(self, now: datetime, by: Person) -> Preview:
        """Return what `take` would do now; nothing is written."""
        authorize(by, Permission.TAKE_DECISIONS)
        found: list[Preview] = []
        try:
            with self._orders.store.writing() as connection:
                found.append(self._tried(UnitOfWork(connection, self._orders.terms, now), by))
                raise _TakenBack
        except _TakenBack:
            return found[0]

    # --- internal ---

    def _watch(self, held: Sequence[Kept], by: Person, now: datetime) -> None:
        """Raise an alarm if one person holds back cards of a tier that takes two people."""
        alarms = AlarmService(self._orders.store)
        tiers = self._orders.terms.policy.identity.second_person_tiers
        if count := sum(decision.tier in tiers and row["why"] != Why.HELD for row, decision in held):
            detail = f"{by.id} 暂缓 {count} 张须双人处置的卡 / {by.id} holds back {count} card(s)"
            alarms.say_now(
                HELD_FOR_TWO, now, f"{detail} of a tier that takes two people: `duanka orders held`"
            )
        elif alarms.is_open(HELD_FOR_TWO, now):
            with self._orders.store.reading() as connection:
                kept = readable(waiting(connection, [Why.HELD], None, ""), self._read)
            if not any(decision.tier in tiers for _, decision in kept):
                alarms.working(HELD_FOR_TWO, now)

    def _kept_decisions(self, connection: Connection) -> list[Kept]:
        if self._decisions is None:
            rows = waiting(connection, [Why.HELD], None, "")
        else:
            whys = [Why.LEFT, Why.NARROWER] if self._choice.narrower else [Why.LEFT]
            rows = waiting(connection, whys, self._decisions.source, self._decisions.run())
        found = readable(rows, self._read)
        decisions = still_signed([decision for _, decision in found], self._signers)
        return [(row, decision) for (row, _), decision in zip(found, decisions, strict=True)]

    def _split(self, kept: Sequence[Kept]) -> tuple[list[Kept], list[Kept]]:
        """Split into the chosen and the rest.

        Chosen: withdrawals and police stops, then the others, heaviest first.
        """
        choice = self._choice
        back = [one for one in kept if one[1].asked is RequestedAction.NOTHING and choice.names_place(one[1])]
        police = [one for one in kept if one[1].police_stop]
        asks = [one for one in kept if one[1].asked is not RequestedAction.NOTHING and not one[1].police_stop]
        named = [one for one in asks if choice.names(one[1])]
        named.sort(key=lambda one: heaviest_first(one[1]))
        if choice.hold_rest and not choice.filters:
            named = []
        chosen = [*back, *police, *named[: choice.limit]]
        mine = {id(row) for row, _ in chosen}
        return chosen, [one for one in kept if id(one[0]) not in mine]

    def _to_hold(self, rest: Sequence[Kept], by: Person) -> list[Kept]:
        """Return those of the rest to hold from now on; only in the scope of `by`."""
        return [
            one
            for one in rest
            if one[1].asked is not RequestedAction.NOTHING
            and (self._choice.hold_rest or one[1].card in self._choice.hold)
            and by.scope.covers(one[1].operator, one[1].city)
        ]

    def _hold(self, rest: Sequence[Kept], now: datetime, by: Person) -> list[Kept]:
        held = self._to_hold(rest, by)
        new = [row for row, _ in held if row["why"] != Why.HELD]
        if not new:
            return held

        def work(unit: UnitOfWork) -> None:
            unit.lock([row["card"] for row in new])
            facts = {"why": Why.HELD.value, "kept_at": now, "kept_by": by.id, "reason": self._why}
            for source in {row["source"] for row in new}:
                numbers = [row["card"] for row in new if row["source"] == source]
                these = (
                    kept_decisions.c.source == source,
                    among(unit.connection, kept_decisions.c.card, numbers),
                )
                unit.connection.execute(update(kept_decisions).where(*these).values(facts))
            said: dict[str, object] = {"held": len(new), **self._choice.facts()}
            unit.note(by, "decisions.hold", self._record.id or HELD, self._why, {}, said)

        self._orders.transaction(work, now)
        return held

    def _take_some(self, some: Sequence[Kept], now: datetime, by: Person) -> Counter[str]:
        """Make orders of these decisions; one that cannot be processed is set aside alone."""
        counts = Counter[str]()

        def work(part: Sequence[Kept]) -> None:
            def in_turn(unit: UnitOfWork) -> tuple[Counter[str], str, Counter[str]]:
                decisions = still_signed([decision for _, decision in part], self._signers)
                unit.lock([decision.card for decision in decisions])
                remove(unit, [(row["card"], row["source"]) for row, _ in part])
                new = first_time(unit, decisions)
                received = receive_in(unit, new, by)
                received = replace(received, left=received.left + len(decisions) - len(new))
                found = Counter({name: count for name, count in asdict(received).items() if count})
                covers = coverage_of(decisions[-1].covers) if self._decisions else None
                narrower = self._record.narrower_than(unit.connection, decisions) if self._decisions else None
                here = {**found, "kept": -len(part)}
                number, whole = self._record.write(unit, by, here, decisions[-1].run, covers, narrower)
                said: dict[str, object] = {"decisions": len(decisions), "take": number}
                source = self._decisions.source if self._decisions else HELD
                unit.note(by, "decisions.take", "decisions", source, {}, said)
                return found, number, whole

            found, number, whole = self._orders.transaction(in_turn, now)
            self._record.written(number, whole, now)
            counts.update(found)

        def set_aside(one: Kept, error: Exception) -> None:
            if isinstance(error, PermissionDenied | TooManyHolders):
                raise error
            row, _ = one
            self._orders.transaction(lambda unit: remove(unit, [(row["card"], row["source"])]), now)
            self._orders.set_aside(_KEPT, f"{row['take_id']}", error, now)
            counts["aside"] += 1

        try:
            work(some)
        except Exception as error:
            if is_outage(error) or isinstance(error, PermissionDenied | TooManyHolders):
                raise
            each_alone(some, work, set_aside)
        return counts

    def _left(self) -> dict[Why, int]:
        """Count what is kept of this source now, by reason."""
        source = self._decisions.source if self._decisions else None
        run = self._decisions.run() if self._decisions else ""
        # Decisions with Why.LEFT are taken by the next take of their own folder.
        whys = [*Why] if self._decisions else [Why.HELD]
        with self._orders.store.reading() as connection:
            rows = waiting(connection, whys, source, run)
        return dict(Counter(Why(row["why"]) for row in rows))

    def _not_found(self, held: Sequence[Kept]) -> int:
        """Count cards to hold that have no decision, except those stopped by the police."""
        missing = self._choice.hold - {decision.card for _, decision in held}
        with self._orders.store.reading() as connection:
            return len(missing) - len(_stopped_by_police(connection, missing))

    def _tried(self, unit: UnitOfWork, by: Person) -> Preview:
        """Run `take` step by step within a transaction that is rolled back."""
        choice, narrower, counts = self._choice, None, Counter[str]()
        outcome: list[tuple[OrderDecision, str]] = []
        kept = list[Kept]()

        def receive(decisions: Sequence[OrderDecision]) -> None:
            gone = cancelled(unit.connection, (decision.card for decision in decisions))
            outcome.extend((decision, receive_one(unit, decision, gone, by)) for decision in decisions)

        waits: Collection[str] = ()
        new = list[OrderDecision]()
        if self._decisions:
            new = [*still_signed(untaken(unit.connection, self._all_new(unit.connection)), self._signers)]
            unit.lock([decision.card for decision in new])
            found = self._record.narrower_than(unit.connection, new)
            waits = withdrawals(unit, new) if found else ()
            narrower = found if waits else None
            split = sort(unit, new, choice, waits=waits, keep_all=choice.selects)
            receive(split.taken)
            latest = {decision.card: (_row(decision, why), decision) for decision, why in split.kept}
            kept = list(latest.values())
        before = self._kept_decisions(unit.connection)
        fresh = {decision.card for _, decision in kept}
        candidates = [
            *(one for one in before if one[1].card not in fresh),
            *(one for one in kept if one[0]["why"] == Why.LEFT),
        ]
        unit.lock([decision.card for _, decision in candidates])
        chosen, rest = self._split(candidates)
        receive(untaken(unit.connection, still_signed([decision for _, decision in chosen], self._signers)))
        counts.update(word for _, word in outcome)
        held = {id(row) for row, _ in self._to_hold(rest, by)}
        rest = [(_held(row) if id(row) in held else row, decision) for row, decision in rest]
        elsewhere = [one for one in kept if one[0]["why"] != Why.LEFT]
        opened = [decision for decision, word in outcome if word == "opened"]
        missing = choice.hold - {decision.card for _, decision in [*rest, *elsewhere]}
        missing -= {decision.card for decision, word in outcome if word == "stopped"}
        return Preview(
            Received(**counts),
            None,
            dict(Counter(Why(row["why"]) for row, _ in [*rest, *elsewhere])),
            counts["stopped"] if choice.selects else 0,
            narrower,
            not_found=len(missing) - len(_stopped_by_police(unit.connection, missing)),
            opened_by=_opened_by(opened),
        )

    def _all_new(self, connection: Connection) -> list[OrderDecision]:
        assert self._decisions is not None  # noqa: S101  # the caller has checked
        position, digest = position_of(connection, self._decisions.source)
        if self._decisions.digest(position) != digest:
            position = 0
        found = list[OrderDecision]()
        while True:
            decisions, position = self._decisions.read(position, _BATCH_DECISIONS)
            if not decisions:
                return found
            found += decisions


class _TakenBack(Exception):
    """Rolls back the transaction of a preview."""


def _row(decision: OrderDecision, why: Why) -> RowMapping:
    """Row of a kept decision, as the table would have it."""
    return {"card": decision.card, "source": "", "why": why.value}  # type: ignore[return-value]


def _held(row: RowMapping) -> RowMapping:
    return {**row, "why": Why.HELD.value}  # type: ignore[return-value]


def _stopped_by_police(connection: Connection, numbers: Collection[str]) -> set[str]:
    """Return which of these cards are stopped on police cases."""
    stopped = (orders.c.state == State.FORCED_STOP.value, among(connection, orders.c.card, numbers))
    return set(connection.execute(select(orders.c.card).where(*stopped)).scalars())


def _opened_by(opened: Sequence[OrderDecision]) -> dict[str, dict[str, int]]:
    by = {
        "tier": Counter(decision.tier for decision in opened),
        "rule": Counter(chain.from_iterable(decision.rules for decision in opened)),
        "city": Counter(decision.city or "-" for decision in opened),
    }
    return {name: dict(counts.most_common()) for name, counts in by.items()}
