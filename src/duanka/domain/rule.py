"""A rule as one value: what it flags, authority, reasons, look-alikes and SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from duanka.domain.preconditions import Precondition
from duanka.domain.rule_examples import Case
from duanka.domain.text import BilingualText, RankedEnum, WordedEnum

Literal = int | float | date
MOST = 100_000_000  # largest limit: beyond it dates and integers overflow


class Action(RankedEnum):
    """What a decision asks the desk to do, in rising severity."""

    WATCH = 0, "关注", "watch"
    VERIFY = 1, "线上核验", "verify"
    VERIFY_AT_COUNTER = 2, "到厅核验", "verify at counter"
    STOP = 3, "停机", "stop"


class Grade(StrEnum):
    """Quality of a source."""

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
    """The time span that a hit is computed from."""

    HOUR = "hour", "小时"  # one hour
    DAY = "day", "天"  # one day and its look-back
    LIFE = "life", "全部记录"  # everything known of the card


@dataclass(frozen=True)
class RuleSource:
    """Source of a rule or a limit. `zh`: of a rule, as holders read it in Chinese; "": as `text`."""

    text: str
    grade: Grade
    zh: str = ""


@dataclass(frozen=True)
class Limit:
    """A number that a policy may change. `step`: the smallest change that matters."""

    value: Literal
    unit: str
    zh: str
    en: str
    step: int | float = 1

    @property
    def meaning(self) -> BilingualText:
        """What is limited, in words."""
        return BilingualText(self.zh, self.en)

    def neighbours(self) -> tuple[Literal, Literal]:
        """The values one step below and above; a date moves by days."""
        if isinstance(self.value, date):
            step = timedelta(days=int(self.step))
            return self.value - step, self.value + step
        return self.value - self.step, self.value + self.step


@dataclass(frozen=True)
class EvidenceColumn:
    """A hit column after `card` and `seen_at`, shown to reviewers and the holder."""

    name: str
    zh: str
    en: str
    unit: str

    @property
    def title(self) -> BilingualText:
        """The heading of the column."""
        return BilingualText(self.zh, self.en)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule; its SQL (DuckDB) returns `card, seen_at`, then the evidence columns.

    `further`     evidence column -> words that follow the reason where a hit has a value in it
    `rebuttal`    which paper or fact shows a holder's use to be honest; stands in the text of a stop
    `reads`       rollups, registers, lists of the policy, or `hits`
    `raw_reason`  why it reads a raw record table, if it does
    `needs`       "table.column": if the column has no value at all, the rule does not run and says so
    `wants`       optional tables; a missing one is reported in the summary
    `narrow`      rollup, or records it reads -> condition over its keys, or columns, that every hit fulfils; other
                  rows are not built, or not read (speed only)
    `stirs`       precondition of cards with a hit, and of those that a hit rests on (speed only, live)
    `unsure`      SQL that counts the cards whose records reach back too little to judge
    `monotone`    more records can only add hits; otherwise it fires when its window has closed
    `seen_at`     time of a hit: start of its window, moment when an absence became due, or the event
    `window`      time span of a hit; only hits in a changed window are evaluated again
    `first_only`  of the hits of a card only the first counts; the SQL returns all
    `together`    "imei" or "holder": cards that share one are evaluated together; "cell": all cards of a day are
    `due`         SQL returning `card, due_at`: when the rule must be evaluated again without new records
    `restates`    rules whose hits are part of the same fact: where both hit, the heavier alone adds points
    """

    id: str
    title: BilingualText
    source: RuleSource
    asks_for: Action
    why: BilingualText
    look_alikes: BilingualText
    limits: Mapping[str, Limit]
    reads: tuple[str, ...]
    look_back: timedelta
    monotone: bool
    sql: str
    evidence: tuple[EvidenceColumn, ...]
    reason: BilingualText
    rebuttal: BilingualText
    flags: tuple[Case, ...]
    spares: tuple[Case, ...]
    raw_reason: str = ""
    needs: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    narrow: Mapping[str, str] = field(default_factory=dict)
    stirs: Precondition | None = None
    unsure: str = ""
    window: Window = Window.LIFE
    first_only: bool = False
    together: str = ""
    due: str = ""
    restates: tuple[str, ...] = ()
    further: Mapping[str, BilingualText] = field(default_factory=dict)

    def limit_fault(self, name: str, value: object) -> str:
        """Return why `value` is not valid for the limit `name`; "" if it is."""
        default = self.limits[name].value
        if isinstance(default, date):
            fine = isinstance(value, date) and not isinstance(value, datetime)
            return "" if fine else f"must be a day like {default}, not {value!r:.40}"
        whole = isinstance(default, int)
        # An upper bound may be zero; a duration, or a count to reach, is at least one.
        least = 0 if name.startswith("max_") or not whole else 1
        most = {"share": 1, "percent": 100}.get(self.limits[name].unit, MOST)
        kinds = int if whole else int | float
        if isinstance(value, kinds) and not isinstance(value, bool) and least <= value <= most:
            return ""  # excludes nan and inf
        kind = "whole number" if whole else "number"
        return f"must be a {kind} from {least} to {most}, like {default}, not {value!r:.40}"


@dataclass(frozen=True)
class Hit:
    """A hit of a rule on a card, with its repeats. `evidence`: by column, of the first hit.

    `seen_at`: time of the first hit; `times`: number of hits; `last_at`: time of the latest one, None if
    there is only one; `days`: number of days with a hit.
    """

    card: str
    rule: str
    seen_at: datetime
    evidence: Mapping[str, object]
    times: int = 1
    last_at: datetime | None = None
    days: int = 1
