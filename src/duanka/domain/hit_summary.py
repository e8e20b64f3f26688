"""Summary of a card's hits in an order: days, counts, words; bounded length."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from typing import Any

from duanka.domain.text import BilingualText

MOST_RULES = 8  # rules per order: the heaviest
MOST_LETTERS = 300  # characters of one summary, in each language


@dataclass(frozen=True)
class HitSummary:
    """Hits of one rule on one card. `days`: how many; `words`: text of the first hit.

    After `joined` the words are those of the later summary.
    """

    rule: str
    first_day: date
    last_day: date
    days: int
    words: BilingualText


def joined(earlier: str, later: Sequence[HitSummary]) -> str:
    """Encode `later` followed by the encoded `earlier`; a rule in both gets one summary."""
    known = {one.rule: one for one in decoded_summaries(earlier)}
    found = [_one(known.pop(one.rule), one) if one.rule in known else one for one in later]
    return encoded_summaries(bounded([*found, *known.values()]))


def bounded(summaries: Iterable[HitSummary]) -> tuple[HitSummary, ...]:
    """Return the first MOST_RULES, with texts of at most MOST_LETTERS."""
    found: list[HitSummary] = []
    for one in islice(summaries, MOST_RULES):
        short = BilingualText(
            *(text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…" for text in one.words)
        )
        found.append(one if short == one.words else replace(one, words=short))
    return tuple(found)


def encoded_summaries(summaries: Sequence[HitSummary]) -> str:
    """Encode as text for a database column; "" for none."""
    if not summaries:
        return ""
    rows = [
        [one.rule, one.first_day.isoformat(), one.last_day.isoformat(), one.days, *one.words]
        for one in summaries
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def decoded_summaries(text: str) -> tuple[HitSummary, ...]:
    """Decode; empty for any other text, so that an order stays readable without its summaries."""
    if not text:
        return ()
    try:
        return tuple(_read(*row) for row in json.loads(text))
    except (ValueError, TypeError):
        return ()


def summary_texts(text: str) -> dict[str, tuple[str, str, int, str, str]]:
    """As `decoded_summaries`, by rule: first and last day as text, days, Chinese, English; for thousands at once."""
    try:
        return {rule: tuple(facts) for rule, *facts in json.loads(text)} if text else {}
    except (ValueError, TypeError):
        return {}


def summaries_of(reasons: Iterable[Any]) -> tuple[HitSummary, ...]:
    """Return a decision's summaries, if it has any; ValueError, KeyError, TypeError if malformed."""
    return bounded(
        _read(one["rule"], one["first_day"], one["last_day"], one["days"], one["zh"], one["en"])
        for one in reasons
        if "first_day" in one
    )


def _read(rule: object, first: str, last: str, days: object, zh: object, en: object) -> HitSummary:
    whole = days if isinstance(days, int) and not isinstance(days, bool) else 0
    if whole < 1:
        raise ValueError(f"{days!r:.40} is no number of days")
    return HitSummary(
        str(rule), date.fromisoformat(first), date.fromisoformat(last), whole, BilingualText(str(zh), str(en))
    )


def _one(earlier: HitSummary, later: HitSummary) -> HitSummary:
    apart = later.first_day > earlier.last_day or earlier.first_day > later.last_day
    return replace(
        later,
        first_day=min(earlier.first_day, later.first_day),
        last_day=max(earlier.last_day, later.last_day),
        days=earlier.days + later.days if apart else max(earlier.days, later.days),
    )
