"""Holders who passed are not asked again for older facts, nor soon after."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import Connection, RowMapping, select, text

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


def passed_lately(unit: UnitOfWork, decision: OrderDecision) -> str | None:
    """Return the id of the verification that spares this holder a new one; None: ask.

    A heavier tier, or a new rule of `ask_again_rules`, always asks again. Otherwise the same rules do not
    ask on evidence from before the pass, and no rule asks within `ask_again_days` after it.
    """
    row = unit.about_cards(_LAST_PASS, decision.card)
    if row is None:
        return None
    passed = order_of(row)
    new_rules = set(decision.rules) - set(passed.rules)
    heavier = TIERS.index(decision.tier) > TIERS.index(passed.tier)
    if heavier or new_rules & set(unit.policy.ask_again_rules) or passed.closed_at is None:
        return None
    passed_at = unit.policy.local_time.local(passed.closed_at).replace(tzinfo=None)
    known_then = not new_rules and decision.seen_until is not None and decision.seen_until <= passed_at
    lately = unit.now < passed.closed_at + timedelta(days=unit.policy.ask_again_days)
    return passed.id if known_then or lately else None
