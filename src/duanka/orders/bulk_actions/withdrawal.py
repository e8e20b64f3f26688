"""Withdraw many verifications as one bulk action, chosen by id, filter or take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, Connection, exists, literal, or_, select

from duanka.domain.authority import Permission, authorize
from duanka.domain.bulk_action import MOST_CARDS, BulkAction, card_of
from duanka.domain.order import (
    Event,
    Grounds,
    Kind,
    NoSuchTransition,
    Order,
    OrderError,
    Person,
    UnknownOrder,
)
from duanka.domain.text import BilingualText
from duanka.ledger.db.bulk import among, in_parts
from duanka.ledger.db.rows import order_of
from duanka.ledger.db.tables import orders
from duanka.ledger.db.tables_takes import taken_orders
from duanka.ledger.people.places import orders_in
from duanka.ledger.unit_of_work.four_eyes import needs_two_people
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.bulk_actions.conditions import not_too_many
from duanka.orders.bulk_actions.execution import AT_ONCE
from duanka.orders.bulk_actions.review import places_within, put_places, store_with_cards
from duanka.orders.bulk_actions.service import BulkActionService, carry_one


@dataclass(frozen=True)
class Which:
    """Conditions on verifications, combined by AND.

    `named`: order ids or card numbers. `take`: id of the take that opened them or added hits to them.
    """

    named: tuple[str, ...] = ()
    tiers: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    cities: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()
    take: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is no condition."""
        return self == Which()


@dataclass(frozen=True)
class OpenVerifications:
    """Open verifications that a withdrawal covers, by tier.

    `for_two`: number of them whose tier needs a second person. `left_out`: card -> why its order is left out.
    """

    orders: Sequence[Order]
    tiers: Mapping[str, int]
    for_two: int
    left_out: Mapping[str, str]


class Withdrawals:
    """Withdraw many verifications; one transaction per method (`finish`: per batch)."""

    def __init__(self, acts: BulkActionService) -> None:
        self._bulk_actions, self._orders = acts, acts.orders

    def look(self, which: Which, by: Person) -> OpenVerifications:
        """Return what `propose` would cover; raises the same errors."""
        authorize(by, Permission.VERIFICATION_WITHDRAW)
        if which.is_empty:
            raise OrderError("say which: ids, --file, --tier, --rule, --city, --operator or --take")
        tiers = self._orders.terms.policy.identity.second_person_tiers
        with self._orders.store.reading() as connection:
            found, left_out = _find(connection, which, by)
        if not found:
            raise NoSuchTransition("nothing is left to withdraw: no open verification is as you say")
        if len(found) > MOST_CARDS:
            raise OrderError(
                f"{len(found)} orders are more than a bulk action takes ({MOST_CARDS}); make it several"
            )
        return OpenVerifications(
            found, Counter(order.tier for order in found), sum(o.tier in tiers for o in found), left_out
        )

    def propose(
        self, which: Which, by: Person, why: str | BilingualText, now: datetime, at_once: int = MOST_CARDS
    ) -> BulkAction:
        """Withdraw the selected verifications as one bulk action.

        It runs at once, unless the tier of an order needs a second person, who must then approve it first. `at_once`:
        approximate number of cards executed before the method returns; the worker executes the rest.

        OrderError: the selection is empty, or a named order is not a verification. UnknownOrder: no such order.
        """
        authorize(by, Permission.PROPOSE_BULK_ACTION)
        reason = BilingualText(why, why) if isinstance(why, str) else why
        if not reason.en.strip():
            raise OrderError("say why they are withdrawn: the reason stays in the audit trail")
        seen = self.look(which, by)

        def work(unit: UnitOfWork) -> str:
            unit.lock([order.card for order in seen.orders])
            alone = not any(needs_two_people(unit, order.card, order) for order in seen.orders)
            if not alone:
                not_too_many(unit, by, len(seen.orders))
            return store_withdrawal(unit, seen.orders, reason, by, alone=alone, left_out=seen.left_out)

        return self.finish(self._orders.transaction(work, now), now, at_once)

    def finish(self, number: str, now: datetime, at_once: int = MOST_CARDS) -> BulkAction:
        """Execute about `at_once` cards of a running bulk action; return its new state."""

        done, work = 0, partial(carry_one, act_id=number, limit=AT_ONCE)
        while done < at_once and (some := self._orders.transaction(work, now)):
            done += some
        return self._bulk_actions.get(number)


def store_withdrawal(
    unit: UnitOfWork,
    found: Sequence[Order],
    reason: BilingualText,
    by: Person,
    *,
    alone: bool,
    left_out: Mapping[str, str] | None = None,
    undoes: str | None = None,
) -> str:
    """Create a bulk action that withdraws these orders; `alone`: it runs at once."""
    skipped = left_out or {}
    grounds = Grounds(reason, unit.policy.redress, unit.policy.papers).complete()
    cards = {order.card: order.id for order in found} | dict.fromkeys(skipped)
    number = store_with_cards(unit, Event.WITHDRAW, grounds, by, cards, skipped, alone=alone, undoes=undoes)
    put_places(unit, number, places_within(unit, cards, by))
    return number


def _find(connection: Connection, which: Which, by: Person) -> tuple[list[Order], dict[str, str]]:
    """Return the selected open verifications, and card -> reason for those left out."""
    if not which.named:
        open_ones = (orders.c.kind == Kind.VERIFICATION.value, orders.c.closed_at.is_(None))
        query = select(orders).where(*open_ones, *_conditions(which), *orders_in(by)).order_by(orders.c.card)
        return [order_of(row) for row in connection.execute(query).mappings()], {}
    ids = [one for one in which.named if one[:1].isalpha()]
    numbers = {card_of(one) for one in which.named if not one[:1].isalpha()}
    named = {order.id: order for order in _orders(connection, orders.c.id, ids)}
    if missing := [one for one in ids if one not in named]:
        raise UnknownOrder(
            f"no order {missing[0]!r}" + (f" and {len(missing) - 1} more" * (len(missing) > 1))
        )
    if others := [one for one in named.values() if one.kind is not Kind.VERIFICATION]:
        raise OrderError(f"{others[0].id} is a {others[0].kind}: only verifications (V...) are withdrawn")
    by_number = [
        order
        for order in _orders(connection, orders.c.card, sorted(numbers))
        if order.kind is Kind.VERIFICATION and not order.closed_at
    ]
    found = {order.card: order for order in [*named.values(), *by_number] if not order.closed_at}
    left_out = {
        order.card: f"{order.id} is {order.state}" for order in named.values() if order.card not in found
    }
    left_out |= {card: "nothing is asked of its holder" for card in numbers if card not in found}
    chosen = _of_filter(connection, which, list(found.values()))
    left_out |= dict.fromkeys(found.keys() - {order.card for order in chosen}, "not one of the filter")
    return chosen, left_out


def _of_filter(connection: Connection, which: Which, found: Sequence[Order]) -> list[Order]:
    conditions = _conditions(which)
    if not conditions:
        return list(found)
    ids = set[str]()
    for part in in_parts([order.id for order in found]):
        query = select(orders.c.id).where(among(connection, orders.c.id, part), *conditions)
        ids.update(connection.execute(query).scalars())
    return [order for order in found if order.id in ids]


def _conditions(which: Which) -> list[ColumnElement[bool]]:
    column = orders.c
    found: list[ColumnElement[bool]] = [
        one.in_(sorted(values))
        for one, values in (
            (column.tier, which.tiers),
            (column.city, which.cities),
            (column.operator, which.operators),
        )
        if values
    ]
    if which.rules:
        padded = literal(" ") + column.rules + " "
        rules = (padded.contains(f" {rule} ", autoescape=True) for rule in sorted(which.rules))
        found.append(or_(*rules))
    if which.take:
        of_take = (taken_orders.c.take_id == which.take, taken_orders.c.order_id == column.id)
        found.append(exists().where(*of_take))
    return found


def _orders(connection: Connection, column: ColumnElement[str], values: Sequence[str]) -> list[Order]:
    found = list[Order]()
    for part in in_parts(values):
        query = select(orders).where(among(connection, column, part))
        found += [order_of(row) for row in connection.execute(query).mappings()]
    return found
