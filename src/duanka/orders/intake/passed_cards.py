"""Holders who are not asked again for older facts: they passed, or were given the card back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, exists, or_, select, text

from duanka.domain.order import Kind, State
from duanka.domain.order_decision import OrderDecision
from duanka.domain.take import TIERS
from duanka.ledger.db.bulk import among
from duanka.ledger.db.tables import LAPSED_ORDERS, PASSED_ORDERS, orders
from duanka.ledger.unit_of_work.batch_facts import TableFact
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.intake.new_evidence import heavier_since


@dataclass(frozen=True)
class LastAnswer:
    """What answered the question about a card last: a pass, somebody who gave the card back, or an undecided objection.

    `order`: its id; `rules`, `tier`: what was answered; `passed`: the holder proved who they are.
    """

    order: str
    rules: frozenset[str]
    tier: str
    at: datetime
    passed: bool


def _read_passes(connection: Connection, of: Collection[str]) -> dict[str, LastAnswer]:
    passed = (
        select(orders.c.card, orders.c.id, orders.c.rules, orders.c.tier, orders.c.closed_at)
        .where(among(connection, orders.c.card, of), text(PASSED_ORDERS), orders.c.closed_at.is_not(None))
        .order_by(orders.c.closed_at)
    )
    # Of each card the last one counts.
    return {
        row.card: LastAnswer(row.id, frozenset(row.rules.split()), row.tier, row.closed_at, True)
        for row in connection.execute(passed)
    }


def _read_given_back(connection: Connection, of: Collection[str]) -> dict[str, LastAnswer]:
    """Restrictions lifted and objections upheld by a person; what an undecided objection lifted is no answer."""
    one, parent, before, lapsed = (orders.alias(name) for name in ("one", "parent", "before", "lapsed"))
    undecided = exists().where(lapsed.c.parent == one.c.id, lapsed.c.state == State.LAPSED.value)
    decided = or_(
        and_(one.c.kind == Kind.RESTRICTION.value, one.c.state == State.RESTORED.value, ~undecided),
        and_(one.c.kind == Kind.OBJECTION.value, one.c.state == State.UPHELD.value),
    )
    query = (
        select(one.c.card, one.c.id, one.c.closed_at)
        # an objection is about a restriction, and that follows from the verification, which later hits joined
        .add_columns(*(table.c[name] for table in (one, parent, before) for name in ("rules", "tier")))
        .outerjoin(parent, parent.c.id == one.c.parent)
        .outerjoin(before, before.c.id == parent.c.parent)
        .where(among(connection, one.c.card, of), decided, one.c.closed_at.is_not(None))
        .order_by(one.c.closed_at)
    )
    found = dict[str, LastAnswer]()
    for card, order, at, *told in connection.execute(query):
        rules = frozenset(" ".join(filter(None, told[::2])).split())
        tier = max((one or "" for one in told[1::2]), key=TIERS.index)
        found[card] = LastAnswer(order, rules, tier, at, False)
    return found


_LAST_PASS: TableFact[LastAnswer | None] = TableFact(orders, _read_passes, absent=None)
_LAST_GIVEN_BACK: TableFact[LastAnswer | None] = TableFact(orders, _read_given_back, absent=None)


def _read_last_lapses(connection: Connection, of: Collection[str]) -> dict[str, LastAnswer]:
    """What the last lapsed objection of each card was about; `order`: the restriction that it lifted."""
    lapsed = (
        select(orders.c.card, orders.c.parent, orders.c.closed_at)
        .where(among(connection, orders.c.card, of), text(LAPSED_ORDERS))
        .subquery()
    )
    # the restriction, and its verification, which later hits joined
    about, asked = orders.alias(), orders.alias()
    names = ("id", "rules", "tier")
    query = (
        select(lapsed.c.card, lapsed.c.closed_at, *(about.c[name] for name in names))
        .add_columns(asked.c.rules.label("more_rules"), asked.c.tier.label("more_tier"))
        .join(about, about.c.id == lapsed.c.parent)
        .outerjoin(asked, asked.c.id == about.c.parent)
        .order_by(lapsed.c.closed_at)
    )
    return {
        row.card: LastAnswer(
            row.id,
            frozenset(f"{row.rules} {row.more_rules or ''}".split()),
            max(row.tier, row.more_tier or "", key=TIERS.index),
            row.closed_at,
            False,
        )
        for row in connection.execute(query)
    }


_LAST_LAPSE: TableFact[LastAnswer | None] = TableFact(orders, _read_last_lapses, absent=None)


def given_back_for(unit: UnitOfWork, decision: OrderDecision) -> str | None:
    """Return the order whose undecided objection gave the card back, if it spares the holder; None: ask.

    Nobody proved anything, so only the same rules on evidence from before that day do not ask again.
    """
    before = unit.about_cards(_LAST_LAPSE, decision.card)
    if before is None or not _known_then(unit, decision, before):
        return None
    return before.order if TIERS.index(decision.tier) <= TIERS.index(before.tier) else None


def answered_lately(unit: UnitOfWork, decision: OrderDecision) -> LastAnswer | None:
    """Return what spares this holder a new verification: a pass, or a person who gave the card back; None: ask.

    New evidence that is heavier by itself, or a new rule of `ask_again_rules`, always asks again. Otherwise the same
    rules do not ask on evidence from before, and no rule asks within `ask_again_days` after it.
    """
    both = (unit.about_cards(fact, decision.card) for fact in (_LAST_PASS, _LAST_GIVEN_BACK))
    if not (found := [one for one in both if one]):
        return None
    answered = max(found, key=lambda one: one.at)
    new_rules = set(decision.rules) - answered.rules
    heavier = heavier_since(unit, decision, answered.tier, answered.at)
    if heavier or new_rules & set(unit.policy.ask_again_rules):
        return None
    lately = unit.now < answered.at + timedelta(days=unit.policy.ask_again_days)
    return answered if lately or _known_then(unit, decision, answered) else None


def _known_then(unit: UnitOfWork, decision: OrderDecision, answered: LastAnswer) -> bool:
    """Whether a decision has the same rules on evidence from before the answer."""
    at = unit.policy.local_time.local(answered.at).replace(tzinfo=None)
    no_new_rule = answered.rules.issuperset(decision.rules)
    return no_new_rule and decision.seen_until is not None and decision.seen_until <= at
