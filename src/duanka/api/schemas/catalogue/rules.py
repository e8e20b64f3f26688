"""The rules, as the API shows them."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from duanka.domain.limit_words import limit_in_words
from duanka.domain.policy import Deciding, Policy
from duanka.domain.rule import Grade, Rule, RuleSource
from duanka.domain.text import BilingualText
from duanka.orders.masking import View
from duanka.orders.views import WordsShown
from duanka.rules import RULES


class RuleSourceShown(View):
    """Where a rule or a limit is from (依据), and how good that source is."""

    words: WordsShown
    grade: Grade
    grade_words: WordsShown

    @classmethod
    def told(cls, source: RuleSource) -> RuleSourceShown:
        """Convert to a response."""
        words = BilingualText(source.zh or source.text, source.text)
        return cls(words=_words(words), grade=source.grade, grade_words=_words(source.grade.meaning))


class RuleLimitShown(View):
    """A limit (阈值) of a rule."""

    name: str = Field(examples=["min_peers"])
    words: WordsShown
    in_force: WordsShown = Field(description="Its value under the policy, with what it counts.")
    default: WordsShown = Field(description="Its value where a policy says nothing.")
    source: RuleSourceShown | None = Field(description="Who set it; null: we did.")


class RuleShown(View):
    """A rule (规则) and what it does under the policy."""

    id: str = Field(examples=["fan_out"])
    title: WordsShown
    asks_for: WordsShown = Field(description="What a hit asks the desk to do.")
    why: WordsShown = Field(description="Why it points to fraud.")
    look_alikes: WordsShown = Field(description="Whose honest use looks like it.")
    rebuttal: WordsShown = Field(description="Which paper or fact shows a use to be honest.")
    source: RuleSourceShown
    limits: list[RuleLimitShown]
    look_back_days: int = Field(description="How far back it reads.")
    runs: bool = Field(description="false: the policy does not have it.")
    shadow: bool = Field(description="It runs, and its hits decide nothing.")
    weight: float | None = Field(description="Of a hit, where the policy weighs them; else null.")

    @classmethod
    def told(cls, rule: Rule, policy: Policy) -> RuleShown:
        """Convert to a response."""
        runs, values = rule.id in policy.rules, policy.limits(rule)
        limits = [
            RuleLimitShown(
                name=name,
                words=_words(limit.meaning),
                in_force=_words(limit_in_words(values[name], limit.unit)),
                default=_words(limit_in_words(limit.value, limit.unit)),
                source=RuleSourceShown.told(by) if (by := policy.authority(rule, name)) else None,
            )
            for name, limit in rule.limits.items()
        ]
        weighed = runs and policy.deciding is Deciding.WEIGH
        return cls(
            id=rule.id,
            title=_words(rule.title),
            asks_for=_words(rule.asks_for.words),
            why=_words(rule.why),
            look_alikes=_words(rule.look_alikes),
            rebuttal=_words(rule.rebuttal),
            source=RuleSourceShown.told(rule.source),
            limits=limits,
            look_back_days=rule.look_back.days,
            runs=runs,
            shadow=rule.id in policy.shadows,
            weight=policy.rules[rule.id].weight if weighed else None,
        )


class RulesPolicyShown(View):
    """The policy (策略) that says which rules run, with which limits."""

    id: str = Field(examples=["national"])
    title: WordsShown
    since: date
    deciding: WordsShown = Field(description="How hits lead to an action.")


class RulesShown(View):
    """All rules (规则), under the policy of the installation."""

    policy: RulesPolicyShown
    items: list[RuleShown]

    @classmethod
    def told(cls, policy: Policy) -> RulesShown:
        """Convert to a response."""
        about = RulesPolicyShown(
            id=policy.id,
            title=_words(policy.title),
            since=policy.since,
            deciding=_words(policy.deciding.words),
        )
        return cls(policy=about, items=[RuleShown.told(rule, policy) for rule in RULES])


def _words(text: BilingualText) -> WordsShown:
    return WordsShown(zh=text.zh, en=text.en)
