"""A policy: a jurisdiction's rules, their limits, lists, weights and authority."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from duanka.domain.account_policy import AccountPolicy
from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.domain.errors import PolicyError
from duanka.domain.order_policy import MessagePolicy, OrderPolicy
from duanka.domain.rollups import ROLLUPS
from duanka.domain.rule import Literal, Rule, RuleSource
from duanka.domain.schema import Column, ColumnKind, Table
from duanka.domain.store_policy import StorePolicy
from duanka.domain.text import BilingualText, WordedEnum
from duanka.domain.victim_policy import VictimPolicy

_PLACE = (
    Column("city", ColumnKind.TEXT, "the listed place: a code of two, four or six digits", required=True),
    Column("title", ColumnKind.TEXT, "its name"),
    Column("authority", ColumnKind.TEXT, "who listed it", required=True),
    Column("since", ColumnKind.DAY, "listed from this day", required=True),
    Column("until", ColumnKind.DAY, "listed to this day", required=True),
)

# Lists that rules read beside the records. Area lists need an authority and dates: by law only the State's mechanism
# may set area measures.
LISTS: dict[str, Table] = {
    table.name: table
    for table in (
        Table("high_risk_areas", "areas where cards must be verified when they roam in", _PLACE),
        Table("fraud_prone_places", "places abroad where fraud rooms sit", _PLACE),
        Table(
            "resale_prefixes",
            "number ranges of resale operators",
            (
                Column(
                    "prefix", ColumnKind.TEXT, "first digits of the card, in E.164 without +", required=True
                ),
            ),
        ),
        Table(
            "bank_hotlines",
            "hotlines of banks",
            (
                Column("number", ColumnKind.TEXT, "as dialled", required=True, keyed=True),
                Column("title", ColumnKind.TEXT, "the bank"),
            ),
        ),
    )
}


class Deciding(WordedEnum):
    """How hits lead to an action."""

    TRIGGERS = "triggers", "命中即处置"  # each hit requests the action of its rule
    WEIGH = "weigh", "加权研判"  # weights of distinct rules are summed and compared with the tiers


@dataclass(frozen=True)
class Setting:
    """A rule's setting. Limits without `authority` are Duanka's; `shadow`: hits decide nothing."""

    weight: float = 1.0
    limits: Mapping[str, Literal] = field(default_factory=dict)
    authority: Mapping[str, RuleSource] = field(default_factory=dict)
    shadow: bool = False


@dataclass(frozen=True)
class Policy:
    """The policy of one jurisdiction."""

    id: str
    title: BilingualText
    source: RuleSource
    source_words: BilingualText
    since: date
    deciding: Deciding
    medium: float
    high: float
    rules: Mapping[str, Setting]
    lists: Mapping[str, tuple[Mapping[str, object], ...]] = field(default_factory=dict)
    orders: OrderPolicy = field(default_factory=OrderPolicy)
    messages: MessagePolicy = field(default_factory=MessagePolicy)
    store: StorePolicy = field(default_factory=StorePolicy)
    victims: VictimPolicy = field(default_factory=VictimPolicy)
    accounts: AccountPolicy = field(default_factory=AccountPolicy)
    assessment: AssessmentPolicy = field(default_factory=AssessmentPolicy)

    def limits(self, rule: Rule) -> dict[str, Literal]:
        """Return the limits of `rule` under this policy, by name."""
        own = self.rules[rule.id].limits if rule.id in self.rules else {}
        unknown = set(own) - set(rule.limits)
        if unknown:
            raise PolicyError(
                f"policy {self.id}: rule {rule.id} has no limit {', '.join(sorted(unknown))};"
                f" it has {', '.join(rule.limits)}"
            )
        return {name: own.get(name, limit.value) for name, limit in rule.limits.items()}

    @property
    def shadows(self) -> frozenset[str]:
        """Ids of the rules in shadow."""
        return frozenset(rule for rule, setting in self.rules.items() if setting.shadow)

    def with_shadow(self, rules: Collection[str]) -> Policy:
        """Return a copy with `rules` (ids) in shadow; newly added ones get weight 1."""
        return self._with(rules, shadow=True)

    def counting(self, rules: Collection[str]) -> Policy:
        """Return a copy where `rules` (ids) count; newly added ones get weight 1."""
        return self._with(rules, shadow=False)

    def _with(self, rules: Collection[str], *, shadow: bool) -> Policy:
        changed = {rule: replace(self.rules.get(rule, Setting()), shadow=shadow) for rule in rules}
        return replace(self, rules={**self.rules, **changed})

    def running(self, rules: Collection[Rule]) -> tuple[Rule, ...]:
        """Return those of `rules` that run under this policy, in execution order.

        Rules in shadow come last, so that a rule which reads hits does not see theirs: through it they would count
        after all. Among those in shadow, rules that read hits come first.
        """
        mine = [rule for rule in rules if rule.id in self.rules]
        return tuple(
            sorted(mine, key=lambda r: (r.id in self.shadows, r.id in self.shadows and "hits" not in r.reads))
        )

    def longest_look_back(self, rules: Collection[Rule]) -> tuple[str, int]:
        """The rule that looks back the longest in rollups under this policy, and how many days; ("", 0): none does."""
        days = [(self._look_back_days(rule), rule.id) for rule in self.running(rules)]
        longest, rule_id = max(days, default=(0, ""), key=lambda one: one[0])
        return (rule_id, longest) if longest else ("", 0)

    def _look_back_days(self, rule: Rule) -> int:
        if not {*ROLLUPS, "hits"} & set(rule.reads):
            return 0  # registers and lists are kept whole
        days = self.limits(rule).get("days")  # where a rule has this limit, it is its look-back
        return days if isinstance(days, int) else -(-rule.look_back // timedelta(days=1))

    def check_retention(self, rules: Collection[Rule]) -> None:
        """PolicyError where the store's rollups are deleted before a rule has looked back on them."""
        rule, days = self.longest_look_back(rules)
        if self.store.keep_rollups_days < days:
            raise PolicyError(
                f"[store] keep_rollups_days is {self.store.keep_rollups_days}, and the rule {rule} looks back"
                f" {days} days; set it to {days} or more, or take the rule out of the policy"
            )

    def authority(self, rule: Rule, limit: str) -> RuleSource | None:
        """Return who set `limit`; None if we did."""
        setting = self.rules.get(rule.id)
        return setting.authority.get(limit) if setting else None
