"""The same path twice, with another setting of one rule: what it gains and loses, and what would be asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from duanka.application.scan import Scan, TakeIn, nothing_lost
from duanka.domain.errors import DuankaError
from duanka.domain.judgement import Judgement
from duanka.domain.policy import Policy
from duanka.domain.ports import Engine, Progress, RecordCoverage, RuleRun
from duanka.domain.rule import Action, Literal, Rule

Asked = Action | None
"""What is asked for a card; None: it is not on the work list."""


@dataclass(frozen=True)
class Backtest:
    """What another setting of one rule does, over history, under a policy in which the rule counts.

    `before`, `after`: how it ran, with `limits_before` and `limits_after`; before None: it did not run at all.
    `orders`: (asked before, asked after) -> cards, of every card that either names; `moved`: the cards for which
    that differs. `runs`: the other rules.
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
    """Run the rules over history twice: with `rule` as the policy has it, and with `changed` limits.

    Without a change, the first time is without the rule. Writes HITS_BEFORE and HITS_AFTER to `scan.out`, both of
    the form of hits.parquet. DuankaError where the records lack what the rule needs.
    """
    intake = take_in(progress)
    nothing_lost(intake)
    span = engine.load(intake.tables, intake.columns, scan.policy.lists, scan.as_of)

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

    again = [one for one in rules if one is rule or "hits" in one.reads]  # those see what the rule hits
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
    """Yield each card with what was and is asked for it; `were`: rule -> the cards it hit before it ran again."""
    left = {card for cards in were.values() for card in cards}
    for card in engine.cards_with_hits():
        left.discard(card.card)
        now = frozenset(hit.rule for hit in card.hits)
        then = now.difference(were).union(rule for rule, cards in were.items() if card.card in cards)
        police = bool(card.cases), bool(card.claimed)
        yield card.card, judgement.asked(then, *police), judgement.asked(now, *police)
    for name in sorted(left):  # nothing hits them any more
        then = frozenset(rule for rule, cards in were.items() if name in cards)
        yield name, judgement.asked(then, confirmed=False), None


def _able(run: RuleRun) -> RuleRun:
    if run.lacks:
        raise DuankaError(f"rule {run.rule} cannot run: the data lack {', '.join(run.lacks)}")
    return run
