"""The scan: from records to a list of cards at risk. Start reading here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import nlargest
from pathlib import Path
from typing import Protocol

from duanka.domain.decision import Tier
from duanka.domain.findings import CardAtRisk, Findings
from duanka.domain.intake_report import Intake
from duanka.domain.judgement import Judgement, Shadows
from duanka.domain.police_reasons import CLAIMED
from duanka.domain.policy import Policy
from duanka.domain.ports import Engine, Profile, Progress, RecordCoverage
from duanka.domain.rule import Rule
from duanka.domain.take import Coverage

TOP = 30  # cards that the report shows with their evidence


class TakeIn(Protocol):
    """Reads an operator's records into canonical Parquet."""

    def __call__(self, progress: Progress) -> Intake:
        """Read all records; invalid ones go to quarantine."""


class CardList(AbstractContextManager[object], Protocol):
    """Writer of the list of cards at risk; the file is complete when closed."""

    def add(self, card: CardAtRisk) -> None:
        """Write one card."""


@dataclass(frozen=True)
class Scan:
    """Input, policy and rules of one scan."""

    data: Path
    policy: Policy
    rules: Sequence[Rule]
    out: Path
    as_of: datetime | None = None
    lists_from: Path | None = None


_CARDS_PER_STEP = 1000  # cards between two progress steps
HITS, CARDS_AT_RISK, SPREADSHEET = "hits.parquet", "cards_at_risk.csv", "cards_at_risk.xlsx"


def scan_records(
    scan: Scan,
    take_in: TakeIn,
    engine: Engine,
    card_lists: Collection[CardList],
    progress: Progress,
    covers: Callable[[Coverage], object] = lambda _: None,
) -> Findings:
    """Read the records, run the rules, and decide about every card with a hit.

    Writes hits.parquet to `scan.out`, and each card to all `card_lists`; one of them writes cards_at_risk.csv there.
    `covers`: called with the coverage of the records before the first card is decided.
    """
    intake = take_in(progress)
    intake.check_nothing_lost()
    span = engine.load(intake.tables, intake.columns, scan.policy.lists, scan.as_of, intake.texts)
    covers(_coverage(span, intake))

    rules = scan.policy.running(scan.rules)
    limits = {rule.id: scan.policy.limits(rule) for rule in rules}
    engine.build([(rule, limits[rule.id]) for rule in rules], progress)
    runs = []
    for done, rule in enumerate(rules):
        progress.step(f"rule {rule.id}", done, len(rules))
        runs.append(engine.run(rule, limits[rule.id]))
    progress.step("rules", len(rules), len(rules))
    progress.step("writing hits", 0)
    engine.write_hits(scan.out / HITS)

    judgement, shadows, tally = Judgement(scan.policy, rules, limits), Shadows(scan.policy), Tally()
    progress.step("judging cards", 0)
    with ExitStack() as opened:
        for card_list in card_lists:
            opened.enter_context(card_list)
        for done, card in enumerate(map(judgement.of, engine.cards_with_hits()), start=1):
            if done % _CARDS_PER_STEP == 0:
                progress.step("judging cards", done)
            shadows.note(card)
            if not card.listed:  # only shadow rules hit it, so no action is requested
                continue
            for card_list in card_lists:
                card_list.add(card)
            tally.note(card)
    progress.step("writing lists", 0)
    return Findings(
        data=scan.data,
        policy=scan.policy,
        rules=tuple(rule for rule in scan.rules if rule in rules),
        limits=limits,
        span=span,
        intake=intake,
        runs=tuple(runs),
        tiers=tally.tiers,
        counts=tally.counts,
        profile=without_rules(scan.policy.shadows, engine.profile(scan.out / CARDS_AT_RISK)),
        top=tally.top,
        cards=engine.cards(),
        lists_from=scan.lists_from,
        shadows=shadows.counted([run.rule for run in runs if not run.ran]),
        claimed=tally.claimed,
    )


def _coverage(span: RecordCoverage, intake: Intake) -> Coverage:
    """What the records cover: the days of each table, and the files that were read; of a store those are not known."""
    until = ((span.reach or span.until) - timedelta(microseconds=1)).date()
    read = sum(1 for file in intake.files if not file.duplicate_of and file.used)
    return Coverage(span.first.date(), until, span.days, read if intake.delivered is None else None)


class Tally:
    """Counts listed cards by tier and rule; keeps the TOP cards (tier, then score)."""

    def __init__(self) -> None:
        self.tiers: Counter[Tier] = Counter()
        self.counts: Counter[tuple[str, Tier]] = Counter()
        self.claimed = 0
        self._top: list[tuple[CardAtRisk, int]] = []  # with its place within its tier

    def note(self, card: CardAtRisk) -> None:
        """Count one card."""
        self.tiers[card.tier] += 1
        self.claimed += CLAIMED in card.reasons
        self.counts.update((hit.rule, card.tier) for hit in card.hits)
        self._top.append((card, self.tiers[card.tier]))
        if len(self._top) > 100 * TOP:
            self._top = _heaviest(self._top)

    @property
    def top(self) -> tuple[CardAtRisk, ...]:
        """The TOP cards by tier, then score, each with its place within its tier."""
        return tuple(replace(card, place=place) for card, place in _heaviest(self._top))


def without_rules(rules: Collection[str], profile: Profile) -> Profile:
    """The profile without the hits of these rules."""
    return replace(profile, days=tuple(day for day in profile.days if day.rule not in rules))


def _heaviest(cards: Sequence[tuple[CardAtRisk, int]]) -> list[tuple[CardAtRisk, int]]:
    return nlargest(TOP, cards, key=lambda one: (one[0].tier, one[0].points, len(one[0].hits)))
