"""Report section on rules in shadow: what they would change if they counted."""

from __future__ import annotations

from dataclasses import dataclass

from duanka.domain.findings import Findings
from duanka.domain.rule import Action, Rule
from duanka.domain.text import BilingualText
from duanka.reports.wording import ACTIONS, number, per_100_000

_NOTHING = BilingualText("不作要求", "nothing is asked")


@dataclass(frozen=True)
class Rise:
    """Cards that would get a heavier action."""

    now: BilingualText
    then: BilingualText
    cards: str


@dataclass(frozen=True)
class ShadowRow:
    """A rule in shadow. `new`: its cards that are not on the work list."""

    rule: Rule
    ran: bool
    cards: str
    rate: str
    new: str
    more: str
    rises: tuple[Rise, ...]


def shadow_rows(findings: Findings) -> tuple[ShadowRow, ...]:
    """Return the rules in shadow, each considered alone."""
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
                Rise(_NOTHING if now is Action.WATCH else ACTIONS[now], ACTIONS[then], number(cards))
                for (now, then), cards in sorted(one.rises.items())
            ),
        )
        for one in findings.shadows
    )
