"""From hits to a decision: pure and explainable; never stops an unconfirmed card."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from duanka.domain.policy import Deciding, Policy
from duanka.domain.rule import Action
from duanka.domain.text import RankedEnum


class Tier(RankedEnum):
    """Risk tiers as used in Shenzhen and Huizhou."""

    LOW = 0, "低", "low"
    MEDIUM = 1, "中", "medium"
    HIGH = 2, "高", "high"
    EXTREME = 3, "极高", "extreme"


ACTION_OF_TIER = {
    Tier.LOW: Action.WATCH,
    Tier.MEDIUM: Action.VERIFY,
    Tier.HIGH: Action.VERIFY_AT_COUNTER,
    Tier.EXTREME: Action.STOP,
}
TIER_OF_ACTION = {action: tier for tier, action in ACTION_OF_TIER.items()}


@dataclass(frozen=True)
class Decision:
    """The action for a card, and the rules that led to it, heaviest first."""

    tier: Tier
    action: Action
    reasons: tuple[str, ...]
    points: float


def decide(
    rules: Collection[str],
    policy: Policy,
    asks_for: Mapping[str, Action],
    *,
    confirmed: bool = False,
    claimed: bool = False,
    score: float | None = None,
    shadows: Collection[str] = (),
    restates: Mapping[str, Collection[str]] | None = None,
) -> Decision:
    """Decide about a card that the `rules` (ids) hit under `policy`.

    `asks_for`: rule id -> action of the rule by itself. `confirmed`: the police confirmed the card in a signed case;
    only this gives tier extreme. `claimed`: a case names the card, but no registered source signed it; gives tier high.
    `score`: a learned probability, 0 to 1, added as one more weight; None: no score. `shadows`: rules in shadow that
    count here; the others do not count and are not given as reasons. `restates`: rule id -> rules whose hits are part
    of the same fact; of two that hit for one fact, the heavier alone adds its weight.

    Hits alone never decide a stop, however many there are, nor does a ring: only `confirmed` does. A card in a ring
    with a confirmed card is at most high, by rule `in_ring`; a stop of it is proposed by a person to a second one.
    """
    weights = {r: s.weight for r in rules if (s := policy.rules.get(r)) and (not s.shadow or r in shadows)}
    reasons = tuple(sorted(weights, key=lambda rule: (-weights[rule], rule)))
    points = _points(weights, restates or {}) + (policy.high * score if score is not None else 0.0)
    if confirmed:
        return Decision(Tier.EXTREME, Action.STOP, reasons, points)
    if claimed:
        return Decision(Tier.HIGH, Action.VERIFY_AT_COUNTER, reasons, points)
    if policy.deciding is Deciding.TRIGGERS:
        action = max((asks_for[rule] for rule in weights), default=Action.WATCH)
        action = min(action, Action.VERIFY_AT_COUNTER)
        return Decision(TIER_OF_ACTION[action], action, reasons, points)
    tier = Tier.HIGH if points >= policy.high else Tier.MEDIUM if points >= policy.medium else Tier.LOW
    return Decision(tier, ACTION_OF_TIER[tier], reasons, points)


def _points(weights: Mapping[str, float], restates: Mapping[str, Collection[str]]) -> float:
    twice = sum(
        min(weights[rule], weights[other])
        for rule, others in restates.items()
        for other in others
        if rule in weights and other in weights
    )
    return sum(weights.values()) - twice
