"""Holders who are not asked again for older facts: they passed, or an undecided objection gave the card back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, select, text

from duanka.domain.order_decision import OrderDecision
from duanka.domain.take import TIERS
from duanka.ledger.db.bulk import among
from duanka.ledger.db.rows import order_of
from duanka.ledger.db.tables import LAPSED_ORDERS, PASSED_ORDERS, orders
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


@dataclass(frozen=True)
class _GivenBack:
    """What the last lapsed objection of a card was about: its order, rules, tiers, and when the card was given back."""

    order_id: str
    rules: frozenset[str]
    tiers: tuple[str, ...]
    at: datetime


def _read_last_lapses(connection: Connection, of: Collection[str]) -> dict[str, _GivenBack]:
    lapsed = (
        select(orders.c.card, orders.c.parent, orders.c.closed_at)
        .where(among(connection, orders.c.card, of), text(LAPSED_ORDERS))
        .subquery()
    )
    about, asked = (
        orders.alias(),
        orders.alias(),
    )  # the restriction, and its verification, which later hits joined
    names = ("id", "rules", "tier")
    query = (
        select(lapsed.c.card, lapsed.c.closed_at, *(about.c[name] for name in names))
        .add_columns(asked.c.rules.label("more_rules"), asked.c.tier.label("more_tier"))
        .join(about, about.c.id == lapsed.c.parent)
        .outerjoin(asked, asked.c.id == about.c.parent)
        .order_by(lapsed.c.closed_at)
    )
    return {
        row.card: _GivenBack(
            row.id,
            frozenset(f"{row.rules} {row.more_rules or ''}".split()),
            (row.tier, row.more_tier or ""),
            row.closed_at,
        )
        for row in connection.execute(query)
    }


_LAST_LAPSE: TableFact[_GivenBack | None] = TableFact(orders, _read_last_lapses, absent=None)


def given_back_for(unit: UnitOfWork, decision: OrderDecision) -> str | None:
    """Return the order whose undecided objection gave the card back, if it spares the holder; None: ask.

    Nobody proved anything, so only the same rules on evidence from before that day do not ask again.
    """
    before = unit.about_cards(_LAST_LAPSE, decision.card)
    if before is None or decision.seen_until is None:
        return None
    heavier = all(TIERS.index(decision.tier) > TIERS.index(tier) for tier in before.tiers)
    at = unit.policy.local_time.local(before.at).replace(tzinfo=None)
    known = before.rules.issuperset(decision.rules) and decision.seen_until <= at
    return before.order_id if known and not heavier else None


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
