"""What `duanka rules backtest` prints: gained and lost, what would be asked, and who it would be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from duanka.backtest import Backtest
from duanka.cli_grid import Titled, as_markdown, as_table, share
from duanka.domain.judgement import in_words
from duanka.domain.masking import masked_card, masked_text
from duanka.domain.policy import Deciding, Policy
from duanka.domain.rule import Action, Literal
from duanka.evaluation import Changes, Example, Flagged, Move
from duanka.report.sections import facts

_ASKED = ("before", "after")
_TEXT = frozenset(_ASKED)


def backtest_tables(outcome: Backtest, changes: Changes, policy: Policy, *, markdown: bool) -> RenderableType:
    """The tables of `duanka rules backtest`; `policy`: as it is named, before the rule was made to count."""
    names = ("as it is", "changed") if outcome.before else ("without it", "with it")
    flagged = zip(
        (*names, "gained", "lost"),
        (changes.before, changes.after, changes.gained, changes.lost),
        strict=True,
    )
    truth = changes.before.known is not None
    known = ("fraud", "honest", "precision", "recall", *changes.strategies) if truth else ()
    tables: list[Titled] = [
        (
            f"What {outcome.rule.id} hits",
            ("", "cards", "hits", *known),
            [_flagged(name, one, changes.strategies) for name, one in flagged],
        )
    ]
    if changes.moves:
        columns = (*_ASKED, "cards", *(("fraud", "honest") if truth else ()))
        tables.append(("What is asked", columns, [_move(one) for one in changes.moves]))
    head, notes = _head(outcome, policy), _notes(outcome, policy)
    shown = [*_shown("Gained", changes.examples_gained, changes.gained, outcome, outcome.limits_after)]
    shown += _shown("Lost", changes.examples_lost, changes.lost, outcome, outcome.limits_before)
    orders = _orders(outcome, changes)
    if markdown:
        parts = [head, *notes, *(as_markdown(one, words=_TEXT) for one in tables), orders]
        parts += [
            f"**{title}**\n\n" + "\n".join(f"- {'; '.join(lines)}" for lines in of) for title, of in shown
        ]
        return "\n\n".join(parts)
    examples = [Text(f"\n{title}\n" + "\n".join("\n    ".join(lines) for lines in of)) for title, of in shown]
    yellow = [Text(note, style="yellow") for note in notes]
    return Group(head, *yellow, *(as_table(one, words=_TEXT) for one in tables), f"\n{orders}", *examples)


def _head(outcome: Backtest, policy: Policy) -> str:
    before, after = outcome.limits_before, outcome.limits_after
    changed = [
        f"{name}={after[name]} instead of {before[name]}" for name in after if after[name] != before[name]
    ]
    if not outcome.before:
        limits = ", ".join(f"{name}={value}" for name, value in after.items())
        what = f"{outcome.rule.id} ({limits}) against running without it"
    else:
        what = f"{outcome.rule.id} with {', '.join(changed) or 'the limits as they are'}"
    span = outcome.span
    return (
        f"{what}; policy {policy.id}, {span.first:%Y-%m-%d %H:%M} to {span.until:%Y-%m-%d %H:%M} local time."
    )


def _notes(outcome: Backtest, policy: Policy) -> list[str]:
    rule, weighed = outcome.rule.id, policy.deciding is Deciding.WEIGH
    weight = f", with weight {outcome.policy.rules[rule].weight:g}" if weighed else ""
    notes = []
    if rule not in policy.rules:
        notes.append(f"Policy {policy.id} does not run {rule}: judged as if it did{weight}")
    elif rule in policy.shadows:
        notes.append(f"{rule} is in shadow under policy {policy.id}: judged as if it counted{weight}")
    if outcome.after.without:
        notes.append(f"Ran without {', '.join(outcome.after.without)}: {rule}")
    if outcome.after.unsure:
        notes.append(
            f"Could not judge {outcome.after.unsure:,} cards: {rule}, the records reach back too little"
        )
    lacking = [run.rule for run in outcome.runs if not run.ran]
    if lacking:
        notes.append(f"Not run, so that decisions are made without them: {', '.join(lacking)}")
    return notes


def _flagged(name: str, one: Flagged, strategies: Sequence[str]) -> tuple[str, ...]:
    counts = (name, f"{one.cards:,}", f"{one.hits:,}")
    row = one.known
    if row is None:
        return counts
    recalls = (share(row.recalls.get(strategy)) for strategy in strategies)
    return (*counts, f"{row.fraud:,}", f"{row.honest:,}", share(row.precision), share(row.recall), *recalls)


def _move(move: Move) -> tuple[str, ...]:
    known = () if move.fraud is None else (f"{move.fraud:,}", f"{move.honest:,}")
    return (_word(move.before), _word(move.after), f"{move.cards:,}", *known)


def _word(asked: Action | None) -> str:
    return "not listed" if asked is None else asked.word


def _orders(outcome: Backtest, changes: Changes) -> str:
    """Who is asked more and who less, and how many orders there are before and after."""

    def some(word: str, wanted: Callable[[int], bool]) -> str:
        chosen = [move for move in changes.moves if wanted(move.more)]
        cards = sum(move.cards for move in chosen)
        if changes.before.known is None:
            return f"{word} {cards:,} cards"
        fraud, honest = sum(m.fraud or 0 for m in chosen), sum(m.honest or 0 for m in chosen)
        return f"{word} {cards:,} cards ({fraud:,} fraud, {honest:,} honest)"

    before, after = (
        sum(n for asked, n in outcome.orders.items() if (asked[side] or Action.WATCH) > Action.WATCH)
        for side in (0, 1)
    )
    return (
        f"{some('Asked more:', lambda more: more > 0)}; {some('asked less:', lambda more: more < 0)}."
        f" Orders: {before:,} cards before, {after:,} after."
    )


def _shown(
    word: str,
    examples: Sequence[Example],
    of: Flagged,
    outcome: Backtest,
    limits: Mapping[str, Literal],
) -> list[tuple[str, list[list[str]]]]:
    if not examples:
        return []
    return [
        (f"{word}: {len(examples)} of {of.cards:,} cards", [_lines(one, outcome, limits) for one in examples])
    ]


def _lines(one: Example, outcome: Backtest, limits: Mapping[str, Literal]) -> list[str]:
    """A card gained or lost, in four lines. The number is shortened: a change can be talked over without it."""
    words = in_words(outcome.rule, one.hit, limits)
    asked = f"{_word(one.moved[0])} -> {_word(one.moved[1])}" if one.moved else "the same is asked"
    evidence = (
        f"{fact.title.en} {fact.value}{f' {fact.unit.en}' if fact.unit else ''}"
        for fact in facts(one.hit, outcome.rule, masked=True)
    )
    times = f"{one.hit.times:,} times, first" if one.hit.times > 1 else "once,"
    known = f"; {one.truth}" if one.truth else ""
    return [
        f"{masked_card(one.hit.card)}  {times} {one.hit.seen_at:%Y-%m-%d %H:%M}; {asked}{known}",
        masked_text(words.zh),
        masked_text(words.en),
        ", ".join(evidence),
    ]
