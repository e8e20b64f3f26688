"""A rule: what it flags, on whose authority, why, whom it could wrong, and the SQL, in one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum

from duanka.domain.rule_examples import Case
from duanka.domain.text import BilingualText, WordedEnum

Literal = int | float | date
MOST = 100_000_000  # no limit is larger: beyond, days leave the calendar and bytes the integers


class Action(IntEnum):
    """What is asked of the desk for a card, in rising order of weight."""

    WATCH = 0
    VERIFY = 1
    VERIFY_AT_COUNTER = 2
    STOP = 3

    @property
    def word(self) -> str:
        """The action as it stands in files: `verify_at_counter`."""
        return self.name.lower()

    @property
    def words(self) -> BilingualText:
        """The action in a table."""
        return _ACTION_WORDS[self]


_ACTION_WORDS = {
    Action.WATCH: BilingualText("关注", "watch"),
    Action.VERIFY: BilingualText("线上核验", "verify"),
    Action.VERIFY_AT_COUNTER: BilingualText("到厅核验", "verify at counter"),
    Action.STOP: BilingualText("停机", "stop"),
}


class Grade(StrEnum):
    """How good a source is."""

    S1 = "S1"  # primary text
    S2 = "S2"  # press or official statement
    S3 = "S3"  # weak page
    K = "K"  # common knowledge, ours

    @property
    def meaning(self) -> BilingualText:
        """The grade in words."""
        return {
            "S1": BilingualText("原文", "primary text"),
            "S2": BilingualText("报道或官方说明", "press or official statement"),
            "S3": BilingualText("弱来源", "weak page"),
            "K": BilingualText("常识(本系统)", "common knowledge (ours)"),
        }[self.value]


class Window(WordedEnum):
    """What a hit stands on."""

    HOUR = "hour", "小时"  # one hour
    DAY = "day", "天"  # one day, and the look-back before it
    LIFE = "life", "全部记录"  # all that is known of the card


@dataclass(frozen=True)
class RuleSource:
    """Where a rule or a limit comes from."""

    text: str
    grade: Grade


@dataclass(frozen=True)
class Limit:
    """A number that a policy may change. `step` is the smallest change that matters."""

    value: Literal
    unit: str
    meaning: BilingualText
    step: int | float = 1

    def neighbours(self) -> tuple[Literal, Literal]:
        """The values one step below and above; a date moves by days."""
        if isinstance(self.value, date):
            step = timedelta(days=int(self.step))
            return self.value - step, self.value + step
        return self.value - self.step, self.value + self.step


@dataclass(frozen=True)
class EvidenceColumn:
    """A column behind `card` and `seen_at` that a reviewer and the holder are shown."""

    name: str
    title: BilingualText
    unit: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule. Its SQL is DuckDB's dialect and gives `card, seen_at` and the evidence columns, in order.

    `reads`       rollups, registers, lists of the policy, or `hits`
    `raw_reason`  why, when it reads a raw record table
    `needs`       "table.column": without a value anywhere in it the rule does not run, and says so
    `wants`       tables that it runs without, but then with less; said in the summary
    `narrow`      rollup -> condition over its keys that every hit fulfils: the rest is not built (speed only)
    `stirs`       rollup -> condition on its rows; a card without such a row has no hit (speed only, live)
    `unsure`      SQL that counts the cards which these records reach back too little to judge
    `monotone`    more records can only add hits; otherwise it fires when its window has closed
    `seen_at`     windows: their first moment; absences: the moment they became due; events: the event
    `window`      what a hit stands on; live, only what lies in a touched window is judged again
    `together`    "imei" or "holder": cards that share one are judged together, a new card there concerns them all
    `due`         SQL that gives `card, due_at`: when the rule must be asked again although nothing happened
    """

    id: str
    title: BilingualText
    source: RuleSource
    asks_for: Action
    why: BilingualText
    look_alikes: BilingualText
    limits: Mapping[str, Limit]
    reads: tuple[str, ...]
    needs: tuple[str, ...]
    look_back: timedelta
    monotone: bool
    sql: str
    evidence: tuple[EvidenceColumn, ...]
    reason: BilingualText
    flags: tuple[Case, ...]
    spares: tuple[Case, ...]
    raw_reason: str = ""
    wants: tuple[str, ...] = ()
    narrow: Mapping[str, str] = field(default_factory=dict)
    stirs: Mapping[str, str] = field(default_factory=dict)
    unsure: str = ""
    window: Window = Window.LIFE
    together: str = ""
    due: str = ""

    def limit_fault(self, name: str, value: object) -> str:
        """Why `value` cannot be the limit `name`; empty when it can."""
        default = self.limits[name].value
        if isinstance(default, date):
            fine = isinstance(value, date) and not isinstance(value, datetime)
            return "" if fine else f"must be a day like {default}, not {value!r:.40}"
        whole = isinstance(default, int)
        # An upper bound may be nothing; a time, or a count to be reached, is at least one.
        least = 0 if name.startswith("max_") or not whole else 1
        most = 1 if self.limits[name].unit == "share" else MOST
        kinds = int if whole else int | float
        if isinstance(value, kinds) and not isinstance(value, bool) and least <= value <= most:
            return ""  # neither nan nor inf comes here
        kind = "whole number" if whole else "number"
        return f"must be a {kind} from {least} to {most}, like {default}, not {value!r:.40}"


@dataclass(frozen=True)
class Hit:
    """A card that tripped a rule, first at `seen_at`, `times` in all; `evidence` by column, of the first time.

    `last_at`: the latest time, None where it is the only one; `days`: on how many days.
    """

    card: str
    rule: str
    seen_at: datetime
    evidence: Mapping[str, object]
    times: int = 1
    last_at: datetime | None = None
    days: int = 1
