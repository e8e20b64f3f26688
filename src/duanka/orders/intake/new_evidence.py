"""Evidence since a holder was asked, passed, or was given the card back: only that can ask for more."""

from __future__ import annotations

from datetime import datetime

from duanka.domain.order_decision import OrderDecision
from duanka.domain.police_reasons import CLAIMED, CONFIRMED
from duanka.domain.take import TIERS
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork


def heavier_since(unit: UnitOfWork, decision: OrderDecision, tier: str, since: datetime) -> bool:
    """Whether a decision asks for more than `tier` by what rules first found on the day of `since` or later.

    Weights add up over a card's whole history: without this, the second evening of what a holder was asked about
    would ask again, and at a counter. What the police say, new evidence of another device (`ask_again_rules`), a policy
    that adds no weights, and a decision that does not say when count as decided.
    """
    if TIERS.index(decision.tier) <= TIERS.index(tier):
        return False
    weights, police = unit.policy.weights, {CLAIMED, CONFIRMED} & set(decision.rules)
    if weights is None or police or not decision.hit_summaries:
        return True
    day = unit.policy.local_time.local(since).date()
    new = {one.rule for one in decision.hit_summaries if one.first_day >= day}
    if new & set(unit.policy.ask_again_rules):  # the card may be in other hands: its whole history counts
        return True
    return TIERS.index(weights.tier_of(new)) > TIERS.index(tier)
