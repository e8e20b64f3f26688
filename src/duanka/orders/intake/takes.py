"""List and undo takes; an undo withdraws opened orders that nobody has moved on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import Field
from sqlalchemy import Connection, RowMapping, func, select, update

from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import reason_for
from duanka.domain.bulk_action import MOST_CARDS, BulkAction
from duanka.domain.order import DoneBefore, Kind, NoSuchTransition, Order, Person, State, UnknownOrder
from duanka.domain.take import Choice, Take, coverage_of
from duanka.domain.text import BilingualText
from duanka.ledger.db.rows import order_of
from duanka.ledger.db.tables import act_cards, acts, orders
from duanka.ledger.db.tables_takes import kept_decisions, taken_orders, takes
from duanka.ledger.people.places import orders_in
from duanka.ledger.unit_of_work.four_eyes import needs_two_people
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.bulk_actions.execution import moved_on
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.bulk_actions.undo import last_undo, undoing
from duanka.orders.bulk_actions.withdrawal import Withdrawals, store_withdrawal
from duanka.orders.intake.kept_decisions import ReadLine, Why, readable, waiting
from duanka.orders.intake.take_record import ATTACHED, OPENED, STOPPED
from duanka.orders.intake.taking import DecisionTaker, TakeResult
from duanka.orders.masking import MASKED, ShownNumber, View
from duanka.orders.views import WordsShown


class LeftShown(View):
    """An order of a take that an undo leaves unchanged, and why."""

    order_id: str
    why: str


@dataclass(frozen=True)
class Undone:
    """Result of undoing a take: the bulk actions that withdraw its orders.

    `act`: at once; `proposed`: waits for a second person. None: no orders for that one. `before`: it had been undone,
    so that nothing changed.
    """

    take_id: str
    act: BulkAction | None
    proposed: BulkAction | None
    left: tuple[LeftShown, ...] = ()
    before: DoneBefore | None = None


class KeptShown(View):
    """A decision about the card that led to no order (未建单的研判结果)."""

    OURS = View.OURS | {"take_id"}

    why: str = Field(
        description="held: somebody holds it back; left: for the next take of its folder; narrower: it"
        " withdraws an order, but its records cover less than those of the previous take."
    )
    tier: str
    since: datetime
    by: str = Field(description="Who holds it, or took the rest of its folder.")
    reason: str = Field(description="Why it is held, in their words.")
    take_id: str


class HeldShown(View):
    """A decision on hold: the holder is not asked until it is taken."""

    OURS = View.OURS | {"take_id"}

    card: ShownNumber
    tier: str
    asked: str
    reason: WordsShown
    rules: tuple[str, ...]
    city: str
    operator: str
    since: datetime
    by: str
    why: str
    take_id: str = Field(exclude=True)  # for the terminal alone


@dataclass(frozen=True)
class _WithdrawalPlan:
    """Orders of a take to withdraw by one person and by two, and those left alone."""

    alone: list[Order] = field(default_factory=list)
    for_two: list[Order] = field(default_factory=list)
    left: list[LeftShown] = field(default_factory=list)


class TakeService:
    """Reads and undoes takes.

    `read`: parses a kept decision; `signers`: whose signatures count now.
    """

    def __init__(
        self,
        bulk_actions: BulkActionService,
        read: ReadLine,
        signers: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._bulk_actions, self._orders, self._read = bulk_actions, bulk_actions.orders, read
        self._signers = signers
        self._withdrawals = Withdrawals(bulk_actions)

    def list(self, by: Person, limit: int = 30) -> tuple[Take, ...]:
        """List the latest takes, newest first."""
        authorize(by, Permission.LIST_TAKES)
        query = select(takes).order_by(takes.c.at.desc(), takes.c.id.desc()).limit(limit)
        with self._orders.store.reading() as connection:
            return self._shown(connection, connection.execute(query).mappings().all(), by)

    def take(self, number: str, by: Person) -> Take:
        """Return one take. UnknownOrder: it does not exist."""
        authorize(by, Permission.LIST_TAKES)
        with self._orders.store.reading() as connection:
            rows = connection.execute(select(takes).where(takes.c.id == number)).mappings().all()
            if not rows:
                raise _unknown(number)
            return self._shown(connection, rows, by)[0]

    def _shown(self, connection: Connection, rows: Sequence[RowMapping], by: Person) -> tuple[Take, ...]:
        """Return the takes of these rows, with counts of what is in the scope of `by`."""
        found = _shown(connection, rows)
        if by.scope.everywhere:
            return found
        ids = [take.id for take in found]
        counts: dict[str, Counter[str]] = {number: Counter() for number in ids}
        kept: dict[str, Counter[str]] = {number: Counter() for number in ids}
        touched = select(taken_orders.c.take_id, taken_orders.c.what, func.count()).join(
            orders, orders.c.id == taken_orders.c.order_id
        )
        touched = touched.where(taken_orders.c.take_id.in_(ids), *orders_in(by))
        touched = touched.group_by(taken_orders.c.take_id, taken_orders.c.what)
        for number, what, count in connection.execute(touched):
            counts[number][what] += count
        still = select(kept_decisions).where(kept_decisions.c.take_id.in_(ids))
        for row, decision in readable(connection.execute(still).mappings().all(), self._read):
            if by.scope.covers(decision.operator, decision.city):
                kept[row["take_id"]][row["why"]] += 1
        return tuple(replace(take, counts=counts[take.id], kept=kept[take.id]) for take in found)

    def held(self, by: Person) -> tuple[HeldShown, ...]:
        """List held decisions in the scope of `by`, oldest first."""
        authorize(by, Permission.LIST_TAKES)
        with self._orders.store.reading() as connection:
            rows = waiting(connection, [Why.HELD], None, "")
        found = readable(rows, self._read)
        return tuple(
            HeldShown.of(
                {**vars(decision), **_whose(row), "card": MASKED.number(decision.card), "why": row["reason"]}
            )
            for row, decision in found
            if by.scope.covers(decision.operator, decision.city)
        )

    def kept_about(self, card: str, by: Person) -> tuple[KeptShown, ...]:
        """List decisions about a card without order, in the scope of `by`, oldest first."""
        authorize(by, Permission.LIST_TAKES)
        query = select(kept_decisions).where(kept_decisions.c.card == card).order_by(kept_decisions.c.kept_at)
        with self._orders.store.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(
            KeptShown.of({**row, **_whose(row), "tier": decision.tier})
            for row, decision in readable(rows, self._read)
            if by.scope.covers(decision.operator, decision.city)
        )

    def take_held(self, choice: Choice, by: Person, now: datetime, why: str) -> TakeResult:
        """Make orders of the held decisions in `choice`; errors of `DecisionTaker.take`."""
        return DecisionTaker(self._orders, None, self._read, self._signers, choice, why).take(now, by)

    def undo(self, number: str, by: Person, why: str, now: datetime, at_once: int = MOST_CARDS) -> Undone:
        """Withdraw what the take opened and nobody moved on; lift stops that followed.

        Orders whose tier takes two people are proposed in one bulk action. `at_once`: about this many are done before
        the method returns; the worker continues with the rest. Again: gives the latest undo, unless there are orders
        that it left. NoSuchTransition: there is nothing to undo.
        """
        authorize(by, Permission.UNDO_BULK_ACTION)
        authorize(by, Permission.VERIFICATION_WITHDRAW)
        why = reason_for(why, f"{number} is undone")

        def work(unit: UnitOfWork) -> tuple[str | None, str | None, tuple[LeftShown, ...], DoneBefore | None]:
            row = unit.connection.execute(select(takes).where(takes.c.id == number).with_for_update())
            take = row.mappings().first()
            if take is None:
                raise _unknown(number)
            found = _sorted(unit, number)
            over = undoing(unit.connection, number) or not (found.alone or found.for_two)
            if take["undone_at"] and over:
                act, proposed = (last_undo(unit.connection, number, alone=one) for one in (True, False))
                left = _not_in(unit.connection, found.left, (act, proposed))
                return act, proposed, left, DoneBefore(take["undone_by"], take["undone_at"])
            if over:
                raise NoSuchTransition(
                    f"{number}: nothing is left to undo; {summary(found.left) or 'it opened none'}"
                )
            told = BilingualText(f"撤销{number}：{why}", f"undone {number}: {why}")
            act, proposed = (
                store_withdrawal(unit, some, told, by, alone=alone, undoes=number) if some else None
                for some, alone in ((found.alone, True), (found.for_two, False))
            )
            facts = {"undone_at": unit.now, "undone_by": by.id}
            unit.connection.execute(update(takes).where(takes.c.id == number).values(facts))
            said: dict[str, object] = {"withdrawn": len(found.alone), "proposed": len(found.for_two)}
            said |= {"left": len(found.left), "acts": [one for one in (act, proposed) if one]}
            unit.note(by, "take.undo", number, why, {}, said)
            return act, proposed, tuple(found.left), None

        act, proposed, left, before = self._orders.transaction(work, now)
        return Undone(
            number,
            self._withdrawals.finish(act, now, at_once) if act else None,
            self._bulk_actions.get(proposed) if proposed else None,
            left,
            before,
        )


def _not_in(
    connection: Connection, left: Sequence[LeftShown], bulk_actions: Collection[str | None]
) -> tuple[LeftShown, ...]:
    """Return those of `left` whose cards these bulk actions do not have."""
    query = select(orders.c.id).join(act_cards, act_cards.c.card == orders.c.card)
    theirs = set(connection.execute(query.where(act_cards.c.act_id.in_(bulk_actions))).scalars())
    return tuple(one for one in left if one.order_id not in theirs)


def _whose(row: RowMapping) -> dict[str, object]:
    return {"since": row["kept_at"], "by": row["kept_by"], "take_id": row["take_id"]}


def summary(left: Sequence[LeftShown]) -> str:
    """Summarise why orders are left alone, with counts for each reason."""
    reasons = Counter(one.why for one in left)
    return "; ".join(f"{count:,} {why}" for why, count in reasons.most_common())


def _sorted(unit: UnitOfWork, number: str) -> _WithdrawalPlan:
    of_take = select(taken_orders.c.order_id, taken_orders.c.what).where(taken_orders.c.take_id == number)
    rows = unit.connection.execute(of_take.where(taken_orders.c.what != ATTACHED)).all()
    what = {row.order_id: row.what for row in rows}
    also = _asked_since(unit.connection, number)
    query = select(orders).join(taken_orders, taken_orders.c.order_id == orders.c.id)
    query = query.where(taken_orders.c.take_id == number, taken_orders.c.what != ATTACHED)
    cards = unit.connection.execute(query.with_only_columns(orders.c.card)).scalars().all()
    unit.lock(cards)
    found = _WithdrawalPlan()
    for row in unit.connection.execute(query.order_by(orders.c.card)).mappings():
        order = order_of(row)
        if why := _why_left(order, what[order.id], also.get(order.id)):
            found.left.append(LeftShown(order_id=order.id, why=why))
        elif needs_two_people(unit, order.card, order):
            found.for_two.append(order)
        else:
            found.alone.append(order)
    return found


def _why_left(order: Order, what: str, also: str | None) -> str:
    if order.closed_at:
        return f"over by now ({order.state})"
    if order.kind is Kind.RESTRICTION:
        stop = "stopped by police notice: only the police lift it"
        return stop if order.state is State.FORCED_STOP else f"stopped otherwise by now ({order.state})"
    if what == STOPPED or moved_on(order):
        return f"moved on by somebody ({order.state})"
    return f"asked by take {also} as well" if also else ""


def _asked_since(connection: Connection, number: str) -> dict[str, str]:
    """Map orders opened by this take to a later take (not undone) that attached a hit."""
    other = taken_orders.alias()
    query = (
        select(other.c.order_id, func.max(other.c.take_id))
        .join(taken_orders, taken_orders.c.order_id == other.c.order_id)
        .join(takes, takes.c.id == other.c.take_id)
        .where(taken_orders.c.take_id == number, taken_orders.c.what == OPENED)
        .where(other.c.take_id != number, takes.c.undone_at.is_(None))
        .group_by(other.c.order_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _shown(connection: Connection, rows: Sequence[RowMapping]) -> tuple[Take, ...]:
    ids = [row["id"] for row in rows]
    kept: dict[str, dict[str, int]] = {}
    counts = select(kept_decisions.c.take_id, kept_decisions.c.why, func.count()).where(
        kept_decisions.c.take_id.in_(ids)
    )
    for number, why, count in connection.execute(
        counts.group_by(kept_decisions.c.take_id, kept_decisions.c.why)
    ):
        kept.setdefault(number, {})[why] = count
    undone: dict[str, tuple[str, ...]] = {}
    query = select(acts.c.undoes, acts.c.id, acts.c.state).where(acts.c.undoes.in_(ids))
    for number, act, state in connection.execute(query.order_by(acts.c.proposed_at, acts.c.id)):
        undone[number] = (*undone.get(number, ()), f"{act} {state}")
    return tuple(_take(row, kept.get(row["id"], {}), undone.get(row["id"], ())) for row in rows)


def _take(row: RowMapping, kept: Mapping[str, int], undone: tuple[str, ...]) -> Take:
    names = ("id", "at", "by", "source", "undone_at", "undone_by")
    return Take(
        **{name: row[name] for name in names},
        chosen=json.loads(row["chosen"]),
        counts=json.loads(row["counts"]),
        covers=coverage_of(json.loads(row["covers"])) if row["covers"] else None,
        narrower=bool(row["narrower"]),
        undone_in=undone,
        kept=kept,
    )


def _unknown(number: str) -> UnknownOrder:
    return UnknownOrder(f"no take {number!r}; `duanka orders takes` lists them")
