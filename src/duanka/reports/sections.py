"""Content of the report page, section by section; the template only lays it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from duanka.domain.decision import ACTION_OF_TIER, Tier
from duanka.domain.findings import CardAtRisk, Findings
from duanka.domain.intake_report import Intake
from duanka.domain.phone_masking import masked_card, masked_device, masked_text, spelled_card
from duanka.domain.policy import LISTS, Deciding, Policy
from duanka.domain.ports import RuleRun
from duanka.domain.rule import Action, Hit, Rule, RuleSource
from duanka.domain.schema import TABLES
from duanka.domain.streaming import SourceReach
from duanka.domain.text import BilingualText
from duanka.reports.wording import ACTIONS, TIERS, TierLook, number, per_100_000, share, unit, value, when

MOST_SOURCES = 20
MOST_CARDS = 30  # shown in the report


@dataclass(frozen=True)
class TierRow:
    """What to do with the cards of one tier."""

    tier: Tier
    look: TierLook
    action: BilingualText
    cards: int
    rate: str
    share: str


@dataclass(frozen=True)
class Gap:
    """The inputs one rule lacked, with explanations."""

    rule: Rule
    lacks: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Unsure:
    """The number of cards one rule could not judge."""

    rule: Rule
    cards: int
    share: str


@dataclass(frozen=True)
class Gaps:
    """What this scan could not determine."""

    not_run: tuple[Gap, ...]
    without: tuple[Gap, ...]
    unsure: tuple[Unsure, ...]
    counted: bool = True  # False: unknown how many cards could not be judged

    @property
    def none(self) -> bool:
        """Whether every rule ran with all its inputs over every card."""
        return self.counted and not (self.not_run or self.without or self.unsure)


@dataclass(frozen=True)
class EvidenceLine:
    """A value of the evidence with title and unit."""

    title: BilingualText
    value: str
    unit: BilingualText | None


@dataclass(frozen=True)
class CardReason:
    """A rule that hit the card, in words, with its evidence."""

    id: str
    title: BilingualText
    words: BilingualText | None
    seen_at: str
    times: int
    facts: tuple[EvidenceLine, ...]


@dataclass(frozen=True)
class CardSection:
    """A card; `row`: its row in cards_at_risk.xlsx, 0 if unknown."""

    number: str
    tier: Tier
    look: TierLook
    action: BilingualText
    points: float
    cases: tuple[str, ...]
    reasons: tuple[CardReason, ...]
    row: int = 0


@dataclass(frozen=True)
class LimitRow:
    """A limit in force. `source` None: we set it."""

    name: str
    meaning: BilingualText
    value: str
    unit: BilingualText | None
    source: RuleSource | None


@dataclass(frozen=True)
class RuleEntry:
    """A rule with the weight and limits of this scan."""

    rule: Rule
    asks_for: BilingualText
    weight: str
    limits: tuple[LimitRow, ...]
    ran: bool
    shadow: bool


@dataclass(frozen=True)
class ListEntry:
    """A list of the policy, a line per row."""

    name: str
    meaning: str
    rows: tuple[str, ...]


def tier_rows(findings: Findings) -> tuple[TierRow, ...]:
    """Return the tiers, heaviest first."""
    return tuple(
        TierRow(
            tier,
            TIERS[tier],
            ACTIONS[ACTION_OF_TIER[tier]],
            cards := findings.tiers.get(tier, 0),
            per_100_000(cards, findings.cards),
            share(cards, findings.cards, 2),
        )
        for tier in sorted(Tier, reverse=True)
    )


def gaps(findings: Findings) -> Gaps:
    """Return which rules did not run, lacked inputs, or could not judge some cards."""
    runs = {run.rule: run for run in findings.runs}
    # A rule without a recorded run is reported as not run.
    silent = RuleRun("", lacks=("—",))
    pairs = [(rule, runs.get(rule.id, silent)) for rule in findings.rules]
    return Gaps(
        tuple(Gap(rule, _explained(run.lacks)) for rule, run in pairs if not run.ran),
        tuple(Gap(rule, _explained(run.without)) for rule, run in pairs if run.ran and run.without),
        tuple(
            Unsure(rule, run.unsure, share(run.unsure, findings.cards))
            for rule, run in pairs
            if run.ran and run.unsure
        ),
        counted=findings.live is None,
    )


def _explained(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _meaning(name)) for name in names)


def _meaning(name: str) -> str:
    table, _, column = name.partition(".")
    known = TABLES.get(table) or LISTS.get(table)
    if known is None:
        return ""
    if not column:
        return known.meaning
    return next((c.meaning for c in known.columns if c.name == column), known.meaning)


def shown_sources(sources: tuple[SourceReach, ...] | None) -> tuple[SourceReach, ...]:
    """Return the live sources to show: all, or those furthest behind."""
    if not sources or len(sources) <= MOST_SOURCES:
        return sources or ()
    return tuple(sorted(sources, key=lambda one: one.complete)[:MOST_SOURCES])


@dataclass(frozen=True)
class TableRow:
    """Delivered records of one table."""

    table: str
    files: int
    records: int
    used: int
    quarantined: int


def table_rows(intake: Intake) -> tuple[TableRow, ...]:
    """Return the delivered records by table."""
    found: dict[str, TableRow] = {}
    for file in intake.files:
        was = found.get(file.table, TableRow(file.table, 0, 0, 0, 0))
        found[file.table] = TableRow(
            file.table,
            was.files + 1,
            was.records + file.records,
            was.used + file.used,
            was.quarantined + file.quarantined,
        )
    return tuple(found.values())


def entries(findings: Findings, *, masked: bool) -> tuple[CardSection, ...]:
    """Return the heaviest cards with their reasons."""
    rules = {rule.id: rule for rule in findings.rules}
    return tuple(
        _entry(card, rules, masked, row_of(card, findings.tiers)) for card in findings.top[:MOST_CARDS]
    )


def row_of(card: CardAtRisk, tiers: Mapping[Tier, int]) -> int:
    """Return a card's row in cards_at_risk.xlsx (heading: row 1); 0 if not ranked."""
    heavier = sum(count for tier, count in tiers.items() if tier > card.tier)
    return heavier + card.place + 1 if card.place else 0


def _entry(card: CardAtRisk, rules: Mapping[str, Rule], masked: bool, row: int) -> CardSection:
    hits = {hit.rule: hit for hit in card.hits}
    # a police confirmation is not a hit: it is shown in the card's own line, apart from the rules
    by_rules = [rule for rule in card.reasons if rule in hits or not card.cases]
    order = [*by_rules, *(rule for rule in hits if rule not in card.reasons)]
    return CardSection(
        masked_card(card.card) if masked else spelled_card(card.card),
        card.tier,
        TIERS[card.tier],
        ACTIONS[card.action],
        card.points,
        card.cases,
        tuple(_reason(id_, card.reasons.get(id_), hits.get(id_), rules.get(id_), masked) for id_ in order),
        row,
    )


def _reason(
    id_: str, words: BilingualText | None, hit: Hit | None, rule: Rule | None, masked: bool
) -> CardReason:
    if words is not None and masked:
        words = BilingualText(masked_text(words.zh), masked_text(words.en))
    return CardReason(
        id_,
        rule.title if rule else BilingualText(id_, id_),
        words,
        when(hit.seen_at) if hit else "—",
        hit.times if hit else 0,
        facts(hit, rule, masked=masked) if hit else (),
    )


def facts(hit: Hit, rule: Rule | None, *, masked: bool) -> tuple[EvidenceLine, ...]:
    """Return the evidence of a hit in its rule's order; `masked`: shorten numbers."""
    columns = {column.name: column for column in rule.evidence} if rule else {}
    names = [*columns, *(name for name in hit.evidence if name not in columns)]
    found = []
    for name in names:
        column = columns.get(name)
        title, of_unit = (column.title, column.unit) if column else (BilingualText(name, name), "")
        said = value(hit.evidence.get(name), of_unit)
        if masked:
            said = masked_device(said) if of_unit == "IMEI" and said != "—" else masked_text(said)
        found.append(EvidenceLine(title, said, unit(of_unit) if said != "—" else None))
    return tuple(found)


def rule_entries(findings: Findings) -> tuple[RuleEntry, ...]:
    """Return each rule with its limits and their sources."""
    ran = {run.rule for run in findings.runs if run.ran}
    return tuple(
        RuleEntry(
            rule,
            ACTIONS[rule.asks_for],
            _weight(findings.policy, rule),
            tuple(_limits(findings, rule)),
            rule.id in ran,
            rule.id in findings.policy.shadows,
        )
        for rule in findings.rules
    )


def _weight(policy: Policy, rule: Rule) -> str:
    setting = policy.rules.get(rule.id)
    return f"{setting.weight:g}" if setting and policy.deciding is Deciding.WEIGH else ""


def _limits(findings: Findings, rule: Rule) -> list[LimitRow]:
    used = findings.limits.get(rule.id) or findings.policy.limits(rule)
    return [
        LimitRow(
            name,
            limit.meaning,
            value(used.get(name, limit.value), limit.unit),
            unit(limit.unit),
            findings.policy.authority(rule, name),
        )
        for name, limit in rule.limits.items()
    ]


def list_entries(policy: Policy) -> tuple[ListEntry, ...]:
    """Return the lists the rules read, with the authority of each entry if it has one."""
    return tuple(
        ListEntry(name, LISTS[name].meaning if name in LISTS else "", tuple(_list_row(row) for row in rows))
        for name, rows in policy.lists.items()
    )


def _list_row(row: Mapping[str, object]) -> str:
    first, *rest = [str(row[key]) for key in ("city", "prefix", "number", "title") if row.get(key)] or ["—"]
    said = " ".join([first, *rest])
    if row.get("authority"):
        said += f" · {row['authority']}"
    if row.get("since") or row.get("until"):
        said += f" · {row.get('since', '')} – {row.get('until', '')}"
    return said


def deciding(policy: Policy) -> BilingualText:
    """Say how the policy turns hits into an action."""
    if policy.deciding is Deciding.TRIGGERS:
        return BilingualText(
            "逐项触发：命中任一规则，即按该规则的要求处置。",
            "Triggers: a card that trips a rule gets what that rule asks for.",
        )
    medium, high = ACTIONS[Action.VERIFY], ACTIONS[Action.VERIFY_AT_COUNTER]
    return BilingualText(
        f"权衡：不同规则的权重相加，满 {policy.medium:g} 分{medium.zh}，满 {policy.high:g} 分{high.zh}。",
        f"Weighed: the weights of distinct rules are added; from {policy.medium:g} {medium.en}, from"
        f" {policy.high:g} {high.en}.",
    )


@dataclass(frozen=True)
class Rise:
    """Cards that would get the action `then` instead of `now`."""

    now: BilingualText
    then: BilingualText
    cards: str


@dataclass(frozen=True)
class ShadowRow:
    """A shadow rule. `new`: its cards not on the work list; `more`: sum of the rises."""

    rule: Rule
    ran: bool
    cards: str
    rate: str
    new: str
    more: str
    rises: tuple[Rise, ...]


def shadow_rows(findings: Findings) -> tuple[ShadowRow, ...]:
    """Return the shadow rules, each as if it alone were put in force."""
    rules = {rule.id: rule for rule in findings.rules}
    ran = {run.rule for run in findings.runs if run.ran}
    return tuple(
        ShadowRow(
            rules[one.rule],
            one.rule in ran,
            number(one.cards),
            per_100_000(one.cards, findings.cards),
            number(one.new),
            number(sum(one.rises.values())),
            tuple(
                Rise(
                    BilingualText("不作要求", "nothing is asked") if now is Action.WATCH else ACTIONS[now],
                    ACTIONS[then],
                    number(cards),
                )
                for (now, then), cards in sorted(one.rises.items())
            ),
        )
        for one in findings.shadows
    )
