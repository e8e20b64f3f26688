"""Limits of input from outside: times, reasons, durations; checked on entry."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta

from duanka.domain.order import OrderError

FIRST_YEAR, LAST_YEAR = 2000, 2099
MOST_LETTERS = 500  # characters of a reason that a person gives
_TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})  # directions of writing
LONGEST_DAYS = 1096  # longest punishment: three years


def bounded(moment: datetime) -> datetime:
    """Return an aware time in UTC. OrderError: no offset, or outside of 2000 to 2099."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise OrderError("a time needs its offset from UTC, like 2026-03-02T16:00:00+08:00")
    # check the year first: near the limits of datetime a conversion to UTC overflows
    if not FIRST_YEAR - 1 <= moment.year <= LAST_YEAR + 1:
        raise OrderError(f"a time lies between the years {FIRST_YEAR} and {LAST_YEAR}")
    utc = moment.astimezone(UTC)
    if not FIRST_YEAR <= utc.year <= LAST_YEAR:
        raise OrderError(f"a time lies between the years {FIRST_YEAR} and {LAST_YEAR}")
    return utc


def given_reason(text: str) -> str:
    """Return a person's reason, trimmed. OrderError: empty, too long, or with control characters."""
    said = text.strip()
    if not said or len(said) > MOST_LETTERS:
        raise OrderError(f"say why, in 1 to {MOST_LETTERS} letters: the reason stays in the audit trail")
    return without_controls(said)


def without_controls(text: str, what: str = "a reason") -> str:
    """Return `text`. OrderError: it has control characters, or turns the direction of writing; `what`: names it."""
    if any(_controls(letter) for letter in text):
        raise OrderError(f"{what} must not contain control characters: it stays in the audit trail")
    return text


def _controls(letter: str) -> bool:
    if letter in "\t\n":
        return False
    turns = unicodedata.bidirectional(letter) in _TURNING
    return turns or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")


def reason_for(why: str, what: str = "") -> str:
    """Return a person's reason, trimmed. OrderError: empty; `what`: completes "say why"."""
    if not why.strip():
        raise OrderError(f"say why{what and ' '}{what}: the reason stays in the audit trail")
    return why.strip()


def end_of_measure(until: datetime, now: datetime) -> datetime:
    """Return the end of a temporary measure. OrderError: not after now, or more than three years from now."""
    until = bounded(until)
    if until <= now:
        raise OrderError("the end of a punishment must lie after now")
    if until > now + timedelta(days=LONGEST_DAYS):
        raise OrderError(f"a punishment lasts at most {LONGEST_DAYS} days (three years)")
    return until
