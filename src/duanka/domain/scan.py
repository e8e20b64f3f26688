"""What a scan found, as the report and the summary tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from duanka.domain.decide import Tier
from duanka.domain.intake import Intake
from duanka.domain.policy import Policy
from duanka.domain.ports import RuleRun, Span
from duanka.domain.rule import Action, Hit, Literal, Rule
from duanka.domain.words import Words


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
class Share:
    """A place, outlet or device: `at_risk` of its `cards` have an action beyond watch."""

    name: str
    title: str
    at_risk: int
    cards: int


@dataclass(frozen=True)
class HitsOfDay:
    """How often a rule was tripped on a day."""

    day: date
    rule: str
    hits: int


@dataclass(frozen=True)
class Profile:
    """Where and when the cards at risk are: the largest first, at most a few dozen each."""

    outlets: tuple[Share, ...]
    cities: tuple[Share, ...]
    devices: tuple[Share, ...]
    days: tuple[HitsOfDay, ...]


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
