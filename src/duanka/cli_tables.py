"""What the command line prints: a summary that a person can act on, and tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from rich.console import Group, RenderableType
from rich.syntax import Syntax
from rich.text import Text

from duanka.cli_grid import Titled, as_markdown, as_table, grid, share
from duanka.domain.decide import Tier
from duanka.domain.device import many_unknown
from duanka.domain.display import display_name, display_text
from duanka.domain.policy import Deciding, Policy
from duanka.domain.rule import Rule
from duanka.domain.scan import Findings
from duanka.engine import Trial
from duanka.evaluation import Evaluation, Row
from duanka.specification import Requirement, Results, state_of

_COLUMNS = 20  # names of columns that are listed
_TIER_WORDS = {
    Tier.EXTREME: ("极高 extreme", "stop now (police-confirmed, 涉案); verify through the fraud centre"),
    Tier.HIGH: ("高 high", "verify in person at the operator's counter"),
    Tier.MEDIUM: ("中 medium", "verify online"),
    Tier.LOW: ("低 low", "watch"),
}


def summary(findings: Findings, out: Path, *, too_bad: bool, allowed: float) -> RenderableType:
    """What was found, what did not run, what was set aside, and where to look next."""
    intake, span = findings.intake, findings.span
    parts: list[RenderableType] = [
        Text(
            f"Scanned {intake.records:,} records of {findings.cards:,} cards,"
            f" {span.first:%Y-%m-%d %H:%M} to {span.until:%Y-%m-%d %H:%M} local time,"
            f" under policy {findings.policy.id} ({findings.policy.source.text})."
        )
    ]
    tiers = grid("tier", "cards", "per 100,000", "what to do", right=("cards", "per 100,000"))
    for tier, (word, what) in _TIER_WORDS.items():
        n = findings.tiers.get(tier, 0)
        tiers.add_row(word, f"{n:,}", f"{1e5 * n / findings.cards:,.0f}" if findings.cards else "-", what)
    parts.append(tiers)
    if findings.shadows:
        parts.append(_shadows(findings))
    parts += [Text(line, style="yellow") for line in _cautions(findings)]
    aside = f"{intake.quarantined:,} of {intake.records:,} records quarantined"
    if too_bad:
        unreadable = [f"{f.file}: {f.unreadable}" for f in intake.files if f.unreadable]
        why = "; ".join(unreadable[:3]) or f"more than --max-bad {allowed:.3%}".rstrip("0")
        parts.append(
            Text(f"{aside}: {why}. Reasons by file and line: {out / 'quarantine.parquet'}", style="red")
        )
    elif intake.quarantined:
        parts.append(Text(f"{aside}; reasons by file and line: {out / 'quarantine.parquet'}"))
    parts.append(
        Text(
            f"Work list: {out / 'cards_at_risk.xlsx'} (.csv for programs)\n"
            f"With reasons, for people: {out / 'report.html'}"
        )
    )
    return Group(*parts)


def _shadows(findings: Findings) -> RenderableType:
    """What each rule in shadow would change if it alone counted."""
    ran = {run.rule for run in findings.runs if run.ran}
    numbers = ("cards", "not listed", "asked more")
    table = grid("影子 shadow", *numbers, "from -> to", right=numbers)
    for one in findings.shadows:
        if one.rule not in ran:
            table.add_row(one.rule, "not run", "-", "-", "-")
            continue
        rises = (f"{now.word} -> {then.word}: {cards:,}" for (now, then), cards in sorted(one.rises.items()))
        more = sum(one.rises.values())
        table.add_row(one.rule, f"{one.cards:,}", f"{one.new:,}", f"{more:,}", ", ".join(rises) or "-")
    return Group("", table, Text("If each of them counted by itself; they change no decision."), "")


def _cautions(findings: Findings) -> list[str]:
    lines = [
        f"{findings.claimed:,} cards are in police cases that no registered source signed: high, and not stopped"
        " (`duanka keys add-source`, docs/FORMAT.md)"
    ] * bool(findings.claimed)
    lines += [
        f"Not run: {run.rule}, the data lack {', '.join(run.lacks)}" for run in findings.runs if not run.ran
    ]
    lines += [
        f"Ran without {', '.join(run.without)}: {run.rule}"
        for run in findings.runs
        if run.ran and run.without
    ]
    lines += [
        f"Could not judge {run.unsure:,} cards: {run.rule}, the records reach back too little"
        for run in findings.runs
        if run.unsure
    ]
    span = findings.span
    if span.reach and span.until - span.reach > timedelta(days=1):
        lines.append(
            f"--as-of lies {(span.until - span.reach).days:,} days after the last record: cards unused since then"
            " count as unused, as if records reached it"
        )
    lines += [f"Delivered twice, not read again: {f.file}" for f in findings.intake.files if f.duplicate_of]
    lines += [f"{f.file}: {note}" for f in findings.intake.files for note in f.notes]
    if findings.span.outside:
        lines.append(f"{findings.span.outside:,} records lie outside the time judged and were not seen")
    unread = sorted(file for file, columns in findings.intake.ignored.items() if not columns)
    lines += [f"Of the mapping, {one}" for one in findings.intake.idle]
    if unread:
        lines.append(f"Files not read, no table takes them: {', '.join(unread)}")
    ignored = sorted({c for columns in findings.intake.ignored.values() for c in columns})
    if ignored:
        more = f" and {len(ignored) - _COLUMNS:,} more" if len(ignored) > _COLUMNS else ""
        lines.append(f"Columns not read: {', '.join(display_text(c[:80]) for c in ignored[:_COLUMNS])}{more}")
    if many := many_unknown(findings.intake.devices_unknown, findings.intake.records):
        lines.append(many.en)
    if findings.lists_from:
        lines.append(f"Area lists from {display_name(str(findings.lists_from))}")
    return lines


def rules_table(rules: Sequence[Rule], policy: Policy) -> RenderableType:
    """The catalogue under a policy."""
    table = grid("id", "名称 title", "grade", "asks for", "weight", "limits", right=("weight",))
    for rule in rules:
        if rule.id not in policy.rules:
            continue
        limits = ", ".join(f"{name}={value}" for name, value in policy.limits(rule).items())
        weight = f"{policy.rules[rule.id].weight:g}" if policy.deciding is Deciding.WEIGH else "-"
        title = f"{rule.title.zh} {rule.title.en}"
        asks = f"{rule.asks_for.word} (in shadow)" if rule.id in policy.shadows else rule.asks_for.word
        table.add_row(rule.id, title, rule.source.grade, asks, weight, limits)
    return Group(
        Text(f"Policy {policy.id}: {policy.title.zh} {policy.title.en}, since {policy.since}"), table
    )


def rule_page(rule: Rule, policy: Policy) -> RenderableType:
    """One rule, whole."""
    limits = grid("limit", "value", "unit", "meaning", "authority")
    for name, value in (policy.limits(rule) if rule.id in policy.rules else {}).items():
        by = policy.authority(rule, name)
        meaning = rule.limits[name].meaning
        authority = f"{by.text} ({by.grade})" if by else "ours"
        limits.add_row(name, str(value), rule.limits[name].unit, f"{meaning.zh} {meaning.en}", authority)
    evidence = grid("evidence", "meaning", "unit")
    for e in rule.evidence:
        evidence.add_row(e.name, f"{e.title.zh} {e.title.en}", e.unit)
    text = Text()
    for head, body in (
        ("Rule", f"{rule.id}: {rule.title.zh} {rule.title.en}"),
        ("Source", f"{rule.source.text} [{rule.source.grade}: {rule.source.grade.meaning.en}]"),
        ("Asks for", rule.asks_for.word),
        ("Why", f"{rule.why.zh} {rule.why.en}"),
        ("Look-alikes", f"{rule.look_alikes.zh} {rule.look_alikes.en}"),
        ("Reads", ", ".join(rule.reads) + f"; looks back {rule.look_back.days} days"),
        ("Needs", ", ".join(rule.needs) or "nothing in particular"),
        ("Fires", "at once" if rule.monotone else "when its window has closed"),
    ):
        text.append(f"{head}: ", style="bold")
        text.append(f"{body}\n")
    examples = Text("Flags: " + "; ".join(c.title for c in rule.flags) + "\n")
    examples.append("Spares: " + "; ".join(c.title for c in rule.spares))
    return Group(text, limits, "", evidence, "", examples, "", Syntax(_dedented(rule.sql), "sql"))


def _dedented(sql: str) -> str:
    return "\n".join(line.removeprefix(" " * 8) for line in sql.strip("\n").rstrip().splitlines())


def trials_table(outcomes: Sequence[Trial]) -> RenderableType:
    """Each example, with a mark, the wrong ones in words."""
    table = grid("rule", "must", "example", "outcome")
    for o in outcomes:
        outcome = "ok" if o.passed else f"wrong: {', '.join(o.wrong)}"
        table.add_row(
            o.rule, "flag" if o.flags else "spare", o.title, outcome, style="" if o.passed else "red"
        )
    wrong = sum(not o.passed for o in outcomes)
    return Group(
        table, Text(f"{len(outcomes)} examples, {wrong} wrong", style="bold red" if wrong else "bold")
    )


def evaluation_tables(found: Evaluation, *, markdown: bool) -> RenderableType:
    """The tables of `duanka evaluate`."""
    tables = (
        ("Orders (action beyond watch)", "orders", (found.asked, found.stopped)),
        ("By tier", "tier", found.tiers),
        ("By rule", "rule", found.rules),
        *((("By rule in shadow, which decides nothing", "rule", found.shadows),) if found.shadows else ()),
    )
    head = (
        f"{found.cards:,} cards, {found.fraud:,} of them fraud. Orders reach {found.asked_per_100k:,.0f} of 100,000"
        f" cards, and {found.honest_asked_per_100k:,.0f} of 100,000 honest ones;"
        f" honest cards stopped outright: {found.stopped.honest}."
    )
    strategies = [row.name for row in found.strategies]
    roles = [row.name for row in found.roles]
    columns = ("cards", "per 100,000", "fraud", "honest", "precision", "recall", *strategies)
    titled: list[Titled] = [
        (title, (name, *columns), [_cells(row, found.cards, strategies) for row in rows])
        for title, name, rows in tables
    ]
    reached: list[tuple[str, ...]] = [
        (r.name, f"{r.cards:,}", f"{r.of:,}", share(r.recall)) for r in (*found.strategies, *found.roles)
    ]
    titled.append(("Fraud that an order reaches", ("strategy or role", "reached", "of", "recall"), reached))
    by_role: list[tuple[str, ...]] = [(r.name, _largest(r, roles)) for r in (*found.rules, *found.shadows)]
    titled.append(
        ("Recall of each rule, role by role", ("rule", "roles of which it finds 1% or more"), by_role)
    )
    honest: list[tuple[str, ...]] = [
        (r.name, f"{r.cards:,}", f"{r.of:,}", f"{1e5 * r.cards / r.of:,.0f}") for r in found.honest_roles
    ]
    titled.append(
        ("Honest people whom an order reaches", ("role", "asked", "of", "per 100,000"), list(honest))
    )
    if markdown:
        return "\n\n".join([head, *(as_markdown(one) for one in titled)])
    return Group(head, *(as_table(one, words=("roles of which it finds 1% or more",)) for one in titled))


def _cells(row: Row, cards: int, strategies: Sequence[str]) -> tuple[str, ...]:
    name = {"asked": "all orders", "stop": "of them stop"}.get(row.name, row.name)
    return (
        name,
        f"{row.cards:,}",
        f"{1e5 * row.cards / cards:,.0f}",
        f"{row.fraud:,}",
        f"{row.honest:,}",
        share(row.precision),
        share(row.recall),
        *(share(row.recalls.get(strategy)) for strategy in strategies),
    )


def _largest(row: Row, roles: Sequence[str]) -> str:
    found = sorted(((row.recalls.get(role, 0.0), role) for role in roles), reverse=True)
    return ", ".join(f"{role} {recall:.2f}" for recall, role in found if recall >= 0.01)


def specification_table(stated: Sequence[Requirement], ran: Results | None) -> RenderableType:
    """Each requirement with the state that the tests show."""
    table = grid("number", "requirement", "state", "tests", right=("tests",))
    for requirement in stated:
        state, tests = state_of(requirement, ran)
        style = {"works": "green", "partly": "yellow"}.get(state, "")
        table.add_row(requirement.number, requirement.title, Text(state, style=style), str(tests))
    note = (
        ""
        if ran
        else "No test run found here: the states are those of SPECIFICATION.md. Run `make test` for fresh ones."
    )
    return Group(table, Text(note))
