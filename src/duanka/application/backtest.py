"""Backtest: compare two settings of one rule over the same records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from duanka.application.scan import Scan, TakeIn
from duanka.domain.errors import DuankaError
from duanka.domain.judgement import Judgement
from duanka.domain.policy import Policy
from duanka.domain.ports import Engine, Progress, RecordCoverage, RuleRun
from duanka.domain.rule import Action, Literal, Rule

Asked = Action | None
"""Action requested for a card; None: the card is not on the work list."""


@dataclass(frozen=True)
class Backtest:
    """Effect of other limits of one rule on historical records.

    `policy`: the operator's, changed so that the rule counts even if it is in shadow or off there.
    `before`, `after`: runs of the rule with `limits_before` and `limits_after`; `before` is None where the
    first run was without the rule. `runs`: those of the other rules. `orders`: (action before, action
    after) -> number of cards, over all cards listed in either run. `moved`: cards whose action differs.
    """

    rule: Rule
    policy: Policy
    before: RuleRun | None
    after: RuleRun
    limits_before: Mapping[str, Literal]
    limits_after: Mapping[str, Literal]
    span: RecordCoverage
    runs: tuple[RuleRun, ...]
    orders: Mapping[tuple[Asked, Asked], int]
    moved: Mapping[str, tuple[Asked, Asked]]


HITS_BEFORE, HITS_AFTER = "before.parquet", "after.parquet"


def backtest_rule(
    scan: Scan,
    rule: Rule,
    changed: Mapping[str, Literal],
    take_in: TakeIn,
    engine: Engine,
    progress: Progress,
) -> Backtest:
    """Run the rules twice: with the limits in the policy, then with `changed`.

    Where `changed` is empty, the first run leaves the rule out. Writes HITS_BEFORE and HITS_AFTER to
    `scan.out`, both in the format of hits.parquet. DuankaError: the records lack what the rule needs.
    """
    intake = take_in(progress)
    intake.check_nothing_lost()
    span = engine.load(intake.tables, intake.columns, scan.policy.lists, scan.as_of, intake.texts)

    policy = scan.policy.counting([rule.id])
    rules = [one for one in policy.running(scan.rules) if one.id not in policy.shadows]
    limits = {one.id: policy.limits(one) for one in rules}
    new = {**limits[rule.id], **changed}
    engine.build([*((one, limits[one.id]) for one in rules), (rule, new)], progress)
    runs = {}
    for done, one in enumerate(rules):
        progress.step(f"rule {one.id}", done, len(rules))
        if one is not rule or changed:
            runs[one.id] = engine.run(one, limits[one.id])
            if one is rule:
                _able(runs[one.id])
    engine.write_hits(scan.out / HITS_BEFORE)
    before = runs.pop(rule.id, None)

    again = [one for one in rules if one is rule or "hits" in one.reads]  # rules that read hits depend on it
    were = {one.id: engine.flagged(one.id) for one in again}
    for one in again:
        engine.forget(one.id)
    for one in again:
        runs[one.id] = engine.run(one, new if one is rule else limits[one.id])
    engine.write_hits(scan.out / HITS_AFTER)
    after = _able(runs.pop(rule.id))

    orders: Counter[tuple[Asked, Asked]] = Counter()
    moved = {}
    for card, *asked in _asked(engine, Judgement(policy, rules, limits), were):
        orders[asked[0], asked[1]] += 1
        if asked[0] != asked[1]:
            moved[card] = asked[0], asked[1]
    others = tuple(runs.values())
    return Backtest(rule, policy, before, after, limits[rule.id], new, span, others, orders, moved)


def _asked(
    engine: Engine, judgement: Judgement, were: Mapping[str, Collection[str]]
) -> Iterator[tuple[str, Asked, Asked]]:
    """Yield each card with its action before and after; `were`: rule -> cards it hit in the first run."""
    left = {card for cards in were.values() for card in cards}
    for card in engine.cards_with_hits():
        left.discard(card.card)
        now = frozenset(hit.rule for hit in card.hits)
        then = now.difference(were).union(rule for rule, cards in were.items() if card.card in cards)
        police = bool(card.cases), bool(card.claimed)
        yield card.card, judgement.asked(then, *police), judgement.asked(now, *police)
    for name in sorted(left):  # cards without any hit in the second run
        then = frozenset(rule for rule, cards in were.items() if name in cards)
        yield name, judgement.asked(then, confirmed=False), None


def _able(run: RuleRun) -> RuleRun:
    if run.lacks:
        raise DuankaError(f"rule {run.rule} cannot run: the data lack {', '.join(run.lacks)}")
    return run
