"""Results of a scan, as report and summary present them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
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
    """A card and its decision. `reasons`: rule id -> why; heaviest rule first.

    `hits`: those that count, in the same order. `shadow`: shadow rule that hit -> the action if it counted;
    `would_be`: the action if all of them did. `signed_by`: the sources that signed the cases. `operator`, `city`:
    from the register; "" if unknown. `place`: rank within its tier on the work list, from 1; 0 if not ranked.
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
        """Whether it is on the work list: a counting rule or the police gave a reason."""
        return bool(self.reasons)


@dataclass(frozen=True)
class ShadowRule:
    """What a rule in shadow would change if it alone counted; as yet it has no effect.

    `cards`: cards it hit; `new`: those of them not on the work list; `rises`: (action now, action if it counted) ->
    cards, where that is higher. A card that is not listed counts as watched.
    """

    rule: str
    cards: int
    new: int
    rises: Mapping[tuple[Action, Action], int]


@dataclass(frozen=True)
class LiveAccount:
    """Status of a live state. `sources`: the deliverers, with their progress.

    `intake`: one total of the records since the state began, not by file and without register rows. `runs`:
    without the number of cards that a rule could not judge.
    """

    span: RecordCoverage
    intake: Intake
    sources: tuple[SourceReach, ...]
    runs: tuple[RuleRun, ...]
    cards: int
    profile: Profile


@dataclass(frozen=True)
class PurgedDays:
    """Days that left a store. `what`: records, rollups or refusals; `kept`: for how many days the policy keeps them."""

    what: str
    days: tuple[date, ...]
    kept: int


@dataclass(frozen=True)
class StoredRecords:
    """What a scan added to a store. `repeated`: it held them already; `late`: their day is purged; `held`: now.

    `late_before`: the days before were purged when the records came; None: none was. `first`: first day of which
    records are held. `reach`: how far each record table reaches now. `purged`: what the policy keeps no longer.
    """

    new: int
    repeated: int
    late: int
    held: int
    late_before: date | None = None
    first: date | None = None
    reach: tuple[SourceReach, ...] = ()
    purged: tuple[PurgedDays, ...] = ()


@dataclass(frozen=True)
class Findings:
    """Result of one scan. `counts`: (rule id, tier) -> cards; `top`: heaviest cards.

    `lists_from`: file of area lists beside the policy, if any. `shadows`: rules in shadow; none counts in `tiers`,
    `counts` or `top`. `claimed`: cards in police cases without a registered signature. `live`: status of the live
    state; None for a scan. `stored`: what went into a store; None without one.
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
    stored: StoredRecords | None = None

    @property
    def bad_share(self) -> float:
        """Share (0 to 1) of the records that were quarantined, or too old for the store; as told before aside."""
        return self.intake.bad_share(self.stored.late if self.stored else 0)

    @property
    def counting(self) -> tuple[Rule, ...]:
        """The rules that count: all except those in shadow."""
        return tuple(rule for rule in self.rules if rule.id not in self.policy.shadows)
