"""From the hits of a card to its action and reasons; used by scans and live runs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

from duanka.domain.decision import Decision, decide
from duanka.domain.findings import CardAtRisk, ShadowRule
from duanka.domain.police_reasons import CLAIMED, CONFIRMED
from duanka.domain.policy import Policy
from duanka.domain.ports import CardHits
from duanka.domain.rule import Action, Hit, Literal, Rule
from duanka.domain.text import BilingualText

_CACHED_RULE_SETS = 100_000  # cache size: millions of cards hit only a few hundred different sets of rules


class Judgement:
    """Decides about cards under one policy. `limits`: rule id -> limits, for reasons."""

    def __init__(
        self, policy: Policy, rules: Sequence[Rule], limits: Mapping[str, Mapping[str, Literal]]
    ) -> None:
        self._rules = {rule.id: rule for rule in rules}
        self._limits = limits
        asks_for = {rule.id: rule.asks_for for rule in rules}
        shadows = policy.shadows
        restates = {rule.id: rule.restates for rule in rules if rule.restates}
        self.fingerprint = _fingerprint(
            policy, asks_for, restates
        )  # of everything that decides, except hits and cases

        def judged(
            tripped: frozenset[str], confirmed: bool, claimed: bool, shadows: Collection[str]
        ) -> Decision:
            police = {"confirmed": confirmed, "claimed": claimed}
            return decide(tripped, policy, asks_for, **police, shadows=shadows, restates=restates)

        @lru_cache(_CACHED_RULE_SETS)
        def decision(tripped: frozenset[str], confirmed: bool, claimed: bool) -> Decision:
            return judged(tripped, confirmed, claimed, ())

        @lru_cache(_CACHED_RULE_SETS)
        def shadowed(
            tripped: frozenset[str], confirmed: bool, claimed: bool
        ) -> tuple[dict[str, Action], Action | None]:
            if not (theirs := sorted(tripped & shadows)):
                return {}, None
            each = {rule: judged(tripped, confirmed, claimed, [rule]).action for rule in theirs}
            return each, judged(tripped, confirmed, claimed, theirs).action

        self._decision, self._shadowed = decision, shadowed

    def of(self, card: CardHits) -> CardAtRisk:
        """Decide about one card; without hits of counting rules it is not `listed`."""
        hits = {hit.rule: hit for hit in card.hits}
        tripped, confirmed, claimed = frozenset(hits), bool(card.cases), bool(card.claimed)
        decided = self._decision(tripped, confirmed, claimed)
        shadow, all_counted = self._shadowed(tripped, confirmed, claimed)
        reasons = {CONFIRMED: _police_words(card.cases)} if card.cases else {}
        if card.claimed and not card.cases:
            reasons[CLAIMED] = _claim_words(card.claimed)
        reasons |= {rule: self.words(hits[rule]) for rule in decided.reasons}
        return CardAtRisk(
            card.card,
            decided.tier,
            decided.action,
            decided.points,
            reasons,
            tuple(hits[rule] for rule in decided.reasons),
            card.cases,
            shadow,
            all_counted,
            card.signed_by,
            card.operator,
            card.city,
        )

    def asked(self, tripped: frozenset[str], confirmed: bool, claimed: bool = False) -> Action | None:
        """Return the action for a card hit by these rules (ids); None: not listed."""
        decided = self._decision(tripped, confirmed, claimed)
        return decided.action if decided.reasons or confirmed or claimed else None

    def words(self, hit: Hit) -> BilingualText:
        """Explain `hit` with its evidence and limits; it may stand for a police case."""
        if hit.rule == CONFIRMED:
            return _police_words([str(hit.evidence["case_id"])])
        if hit.rule == CLAIMED:
            return _claim_words([str(hit.evidence["case_id"])])
        if hit.rule not in self._rules:  # its hits are revoked: this policy no longer runs the rule
            return BilingualText(f"规则 {hit.rule} 已不适用", f"the rule {hit.rule} does not run any more")
        return in_words(self._rules[hit.rule], hit, self._limits[hit.rule])


class Shadows:
    """Counts what the rules in shadow would change, card by card."""

    def __init__(self, policy: Policy) -> None:
        self._cards: Counter[str] = Counter()
        self._new: Counter[str] = Counter()
        self._rises: dict[str, Counter[tuple[Action, Action]]] = {
            rule: Counter() for rule in policy.rules if rule in policy.shadows
        }

    def note(self, card: CardAtRisk) -> None:
        """Count one card."""
        for rule, action in card.shadow.items():
            self._cards[rule] += 1
            self._new[rule] += not card.listed
            if action > card.action:
                self._rises[rule][card.action, action] += 1

    def counted(self, not_run: Collection[str] = ()) -> tuple[ShadowRule, ...]:
        """Return the rules in shadow, in the order of the policy; none if all of them are among `not_run`.

        A policy is shipped with a rule in shadow whose table few deliver: that it lacks it is told elsewhere.
        """
        if self._rises.keys() <= set(not_run):
            return ()
        return tuple(
            ShadowRule(rule, self._cards[rule], self._new[rule], rises) for rule, rises in self._rises.items()
        )


def in_words(rule: Rule, hit: Hit, limits: Mapping[str, Literal]) -> BilingualText:
    """Explain `hit` with its evidence and the limits in force."""
    values = {**limits, **hit.evidence}
    told = [rule.reason, *(words for name, words in rule.further.items() if values.get(name) is not None)]
    return BilingualText(*("".join(part) for part in zip(*told, strict=True))).filled(**values)


def _fingerprint(
    policy: Policy, asks_for: Mapping[str, Action], restates: Mapping[str, Sequence[str]]
) -> str:
    rules = sorted(
        (rule, one.weight, one.shadow, asks_for[rule].word)
        for rule, one in policy.rules.items()
        if rule in asks_for
    )
    said = repr((policy.deciding.value, policy.medium, policy.high, rules, sorted(restates.items())))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _police_words(cases: Sequence[str]) -> BilingualText:
    numbers = ", ".join(cases)
    return BilingualText(f"公安机关确认涉案（{numbers}）", f"confirmed by the police in case {numbers}")


def _claim_words(cases: Sequence[str]) -> BilingualText:
    numbers = ", ".join(cases)
    return BilingualText(
        f"涉案名单（{numbers}）无公安签名，待核实",
        f"named in case {numbers} by a list that no registered source signed: to be verified",
    )
