"""Holders who passed are not asked again for facts known then, nor soon after."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import Connection, RowMapping, select, text

from duanka.domain.order import Order
from duanka.domain.order_decision import OrderDecision
from duanka.domain.take import TIERS
from duanka.ledger.db.bulk import among
from duanka.ledger.db.rows import order_of
from duanka.ledger.db.tables import PASSED_ORDERS, orders
from duanka.ledger.unit_of_work.batch_facts import TableFact
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork


def _read_last_passes(connection: Connection, of: Collection[str]) -> dict[str, RowMapping]:
    passed = (
        select(orders)
        .where(among(connection, orders.c.card, of), text(PASSED_ORDERS))
        .order_by(orders.c.closed_at)
    )
    # Of each card the last one counts.
    return {row["card"]: row for row in connection.execute(passed).mappings()}


_LAST_PASS: TableFact[RowMapping | None] = TableFact(orders, _read_last_passes, absent=None)


def passed_lately(unit: UnitOfWork, demand: OrderDecision) -> str | None:
    """Return the id of the verification that spares this holder a new one; None: ask.

    The same rules on evidence from before the pass never ask again. Within the policy's days after it, only a heavier
    tier or a new rule that indicates another device asks again.
    """
    row = unit.about_cards(_LAST_PASS, demand.card)
    if row is None:
        return None
    passed = order_of(row)
    if _heavier(demand, passed) or _another_device(unit, demand, passed):
        return None
    return passed.id if _known_then(unit, demand, passed) or _within(unit, passed) else None


def _heavier(demand: OrderDecision, passed: Order) -> bool:
    return TIERS.index(demand.tier) > TIERS.index(passed.tier)


def _another_device(unit: UnitOfWork, demand: OrderDecision, passed: Order) -> bool:
    return bool((set(demand.rules) - set(passed.rules)) & set(unit.policy.ask_again_rules))


def _known_then(unit: UnitOfWork, demand: OrderDecision, passed: Order) -> bool:
    """Whether the rules and their evidence existed when the holder passed."""
    if passed.closed_at is None or demand.seen_until is None or not set(demand.rules) <= set(passed.rules):
        return False
    return demand.seen_until <= unit.policy.local_time.local(passed.closed_at).replace(tzinfo=None)


def _within(unit: UnitOfWork, passed: Order) -> bool:
    days = timedelta(days=unit.policy.ask_again_days)
    return passed.closed_at is not None and unit.now < passed.closed_at + days
