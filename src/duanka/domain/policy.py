"""A policy: which rules run in a jurisdiction, with which limits, lists and weights, by whose authority."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from duanka.domain.errors import PolicyError
from duanka.domain.rule import Literal, Rule, Source
from duanka.domain.tables import Column, Kind, Table
from duanka.domain.words import Words

_PLACE = (
    Column("city", Kind.TEXT, "the listed place: a code of two, four or six digits", required=True),
    Column("title", Kind.TEXT, "its name"),
    Column("authority", Kind.TEXT, "who listed it", required=True),
    Column("since", Kind.DAY, "listed from this day", required=True),
    Column("until", Kind.DAY, "listed to this day", required=True),
)

# The lists that rules read beside the records. Places need authority and dates: the law lets only the State's
# mechanism set area measures.
LISTS: dict[str, Table] = {
    table.name: table
    for table in (
        Table("high_risk_areas", "areas where cards must be verified when they roam in", _PLACE),
        Table("fraud_prone_places", "places abroad where fraud rooms sit", _PLACE),
        Table(
            "resale_prefixes",
            "number ranges of resale operators",
            (Column("prefix", Kind.TEXT, "first digits of the card, in E.164 without +", required=True),),
        ),
        Table(
            "bank_hotlines",
            "hotlines of banks",
            (
                Column("number", Kind.TEXT, "as dialled", required=True),
                Column("title", Kind.TEXT, "the bank"),
            ),
        ),
    )
}


class Deciding(StrEnum):
    """How hits become an action."""

    TRIGGERS = "triggers"  # each hit asks for what its rule asks for
    WEIGH = "weigh"  # weights of distinct rules are added and compared with the tiers


@dataclass(frozen=True)
class Setting:
    """What a policy says about one rule. A limit without an authority is shown as ours."""

    weight: float = 1.0
    limits: Mapping[str, Literal] = field(default_factory=dict)
    authority: Mapping[str, Source] = field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """The policy of one jurisdiction."""

    id: str
    title: Words
    source: Source
    since: date
    deciding: Deciding
    medium: float
    high: float
    rules: Mapping[str, Setting]
    lists: Mapping[str, tuple[Mapping[str, object], ...]] = field(default_factory=dict)

    def limits(self, rule: Rule) -> dict[str, Literal]:
        """The limits of `rule` under this policy, by name."""
        own = self.rules[rule.id].limits if rule.id in self.rules else {}
        unknown = set(own) - set(rule.limits)
        if unknown:
            raise PolicyError(
                f"policy {self.id}: rule {rule.id} has no limit {', '.join(sorted(unknown))};"
                f" it has {', '.join(rule.limits)}"
            )
        return {name: own.get(name, limit.value) for name, limit in rule.limits.items()}

    def authority(self, rule: Rule, limit: str) -> Source | None:
        """Who set `limit`; None when it is ours."""
        setting = self.rules.get(rule.id)
        return setting.authority.get(limit) if setting else None
