"""What a scan found, as the report and the summary tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from duanka.domain.decision import Tier
from duanka.domain.intake_report import Intake
from duanka.domain.policy import Policy
from duanka.domain.ports import HitsOfDay, Profile, RecordCoverage, RuleRun, Share
from duanka.domain.rule import Action, Hit, Literal, Rule
from duanka.domain.streaming import SourceReach
from duanka.domain.text import BilingualText

__all__ = ["CardAtRisk", "Findings", "HitsOfDay", "LiveAccount", "Profile", "ShadowRule", "Share"]


@dataclass(frozen=True)
class CardAtRisk:
    """A card with the decision about it. `reasons`: rule id -> why, in words; heaviest rule first.

    `hits`: those that count, in that order. `shadow`: rule in shadow that it tripped -> the action if that rule
    counted; `would_be`: the action if all of them did. `signed_by`: the sources that signed the cases.
    `operator`, `city`: of the card, as the register says; "" where it does not. `place`: where it stands among those
    of its tier on the work list, from 1; 0 where nobody counted.
    """

    card: str
    tier: Tier
    action: Action
    points: float
    reasons: Mapping[str, BilingualText]
    hits: tuple[Hit, ...]
    cases: tuple[str, ...] = ()
    shadow: Mapping[str, Action] = field(default_factory=dict)
    would_be: Action | None = None
    signed_by: tuple[str, ...] = ()
    operator: str = ""
    city: str = ""
    place: int = 0

    @property
    def listed(self) -> bool:
        """Whether the work list names it: a rule that counts, or the police, gave a reason."""
        return bool(self.reasons)


@dataclass(frozen=True)
class ShadowRule:
    """What a rule in shadow would do if it counted, by itself: nobody is asked anything because of it.

    `cards`: the cards it hit; `new`: of these, those that are not on the work list; `rises`: (action now, action
    if it counted) -> cards, where that is more. A card that is not listed counts as watched.
    """

    rule: str
    cards: int
    new: int
    rises: Mapping[tuple[Action, Action], int]


@dataclass(frozen=True)
class LiveAccount:
    """What a live state tells beside its lists. `sources`: who delivered, and how far each has come.

    `intake` counts events since the state began, as one whole: not by file, and no rows of registers. `runs`: without
    how many cards a rule could not judge.
    """

    span: RecordCoverage
    intake: Intake
    sources: tuple[SourceReach, ...]
    runs: tuple[RuleRun, ...]
    cards: int
    profile: Profile


@dataclass(frozen=True)
class Findings:
    """One scan, whole. `counts`: (rule id, tier) -> cards; `top`: the heaviest cards with their evidence.

    `lists_from`: the file that brought area lists besides the policy; None without one. `shadows`: the rules that
    ran in shadow, none of which counts in `tiers`, `counts` or `top`. `claimed`: cards in police cases that no
    registered source signed. `live`: of live records, those who delivered them; None: of one scan.
    """

    data: Path
    policy: Policy
    rules: tuple[Rule, ...]
    limits: Mapping[str, Mapping[str, Literal]]
    span: RecordCoverage
    intake: Intake
    runs: tuple[RuleRun, ...]
    tiers: Mapping[Tier, int]
    counts: Mapping[tuple[str, Tier], int]
    profile: Profile
    top: tuple[CardAtRisk, ...]
    cards: int
    lists_from: Path | None = None
    shadows: tuple[ShadowRule, ...] = ()
    claimed: int = 0
    live: tuple[SourceReach, ...] | None = None

    @property
    def counting(self) -> tuple[Rule, ...]:
        """The rules that count: all but those in shadow."""
        return tuple(rule for rule in self.rules if rule.id not in self.policy.shadows)
