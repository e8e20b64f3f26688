"""What a scan found, as the report and the summary tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from duanka.domain.decide import Tier
from duanka.domain.intake import Intake
from duanka.domain.policy import Policy
from duanka.domain.ports import HitsOfDay, Profile, RuleRun, Share, Span
from duanka.domain.rule import Action, Hit, Literal, Rule
from duanka.domain.words import Words

__all__ = ["CardAtRisk", "Findings", "HitsOfDay", "Profile", "Share"]


@dataclass(frozen=True)
class CardAtRisk:
    """A card with the decision about it. `reasons`: rule id -> why, in words; heaviest rule first."""

    card: str
    tier: Tier
    action: Action
    points: float
    reasons: Mapping[str, Words]
    hits: tuple[Hit, ...]
    cases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """One scan, whole. `counts`: (rule id, tier) -> cards; `top`: the heaviest cards with their evidence.

    `lists_from`: the file that brought area lists besides the policy; None without one.
    """

    data: Path
    policy: Policy
    rules: tuple[Rule, ...]
    limits: Mapping[str, Mapping[str, Literal]]
    span: Span
    intake: Intake
    runs: tuple[RuleRun, ...]
    tiers: Mapping[Tier, int]
    counts: Mapping[tuple[str, Tier], int]
    profile: Profile
    top: tuple[CardAtRisk, ...]
    cards: int
    lists_from: Path | None = None
