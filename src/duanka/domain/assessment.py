"""Terms of the assessment: what is measured of whom, in which period; the formulas are ours.

A measure of stops alone would reward over-stopping, so what was done to holders without cause is measured beside it.
Unknown is unknown: a figure whose basis nobody delivered is None, never 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from duanka.domain.errors import DuankaError
from duanka.domain.local_time import operator_zone
from duanka.domain.text import BilingualText, WordedEnum


class AssessmentError(DuankaError):
    """What was asked of the assessment cannot be done; the text says what can."""


class UnitKind(WordedEnum):
    """By what is compared."""

    OPERATOR = "operator", "运营商"
    CITY = "city", "城市"
    OUTLET = "outlet", "网点"
    OPENING_MONTH = "month", "开卡月份", "opening month"
    PLATFORM = "platform", "互联网平台"


class FigureShape(WordedEnum):
    """What kind of figure a measure gives, which decides how units are compared."""

    RATE = "rate", "每万分率", "rate"  # count per exposure, events are rare: Poisson
    SHARE = "share", "比例"  # count of exposure: binomial
    HOURS = "hours", "小时数"  # a quantile; exposure: cases behind it
    COUNT = "count", "数量"  # nothing to compare with


class Measure(WordedEnum):
    """What is measured. `shape`: of its figure; `high_is_worse`: None: neither end is."""

    shape: FigureShape
    high_is_worse: bool | None

    def __new__(cls, value: str, zh: str = "", en: str = "", shape: str = "", worse: str = "") -> Self:
        """Create the member. `worse`: high, low, or "" for neither."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.words = BilingualText(zh, en)
        member.shape = FigureShape(shape)
        member.high_is_worse = {"high": True, "low": False, "": None}[worse]
        return member

    CONFIRMED = "confirmed", "涉案率", "confirmed cards", "rate", "high"
    IN_TIME = "in_time", "按时核验率", "verified in time", "share", "low"
    PASSED = "passed", "核验通过率", "pass rate", "share", ""
    WRONGFUL = "wrongful", "误停率", "wrongful stops", "share", "high"
    RESTORE_P50 = "restore_p50", "复通用时中位数", "time to restore, P50", "hours", "high"
    RESTORE_P95 = "restore_p95", "复通用时P95", "time to restore, P95", "hours", "high"
    UPHELD = "upheld", "异议成立率", "objections upheld", "share", "high"
    UNDELIVERED = "undelivered", "通知未送达率", "undelivered notices", "share", "high"
    ACCOUNTS = "accounts", "关联账号处置率", "linked accounts handled", "share", "low"
    WARNED = "warned", "预警受害人", "victims warned", "count", ""
    DISSUADED = "dissuaded", "劝阻受害人", "victims dissuaded", "count", ""
    OUTLETS = "outlets", "网点集中度", "outlet concentration", "share", ""


PER = 10_000  # active cards that a rate is of


@dataclass(frozen=True)
class StandardExposure:
    """Active cards of a unit, counted for how often other units' cards of their age are confirmed.

    `cards`: so many as let expect the same if they were of the ages that all cards have together. `basis`: confirmed
    cards of the others on which that stands, in effect; where few others have such cards, few.
    """

    cards: float
    basis: float


@dataclass(frozen=True)
class UnitFigure:
    """One measure of one unit. `unit` "": the unit is not known of these.

    `count`: what is counted (cards, stops, ...); None: unknown. `exposure`: of how many (active cards, stops decided,
    ...); None: unknown, or the measure has none. `hours`: of a measure in hours. `standard`: what that would be with
    the ages that all cards have; None: not counted by age of the cards.
    """

    unit: str
    count: int | None
    exposure: int | None = None
    hours: float | None = None
    standard: StandardExposure | None = None

    def value(self, measure: Measure) -> float | None:
        """The figure as shown: per `PER`, a fraction, hours or a count. None: unknown, or of nothing."""
        if measure.shape is FigureShape.HOURS:
            return self.hours
        if measure.shape is FigureShape.COUNT or self.count is None:
            return self.count
        if not self.exposure:
            return None
        return self.count / self.exposure * (PER if measure.shape is FigureShape.RATE else 1)

    def is_of_nothing(self, measure: Measure) -> bool:
        """Whether there was nothing that it could be of, which is known."""
        return self.exposure == 0 or (measure.shape is FigureShape.HOURS and self.count == 0)

    def bad(self, measure: Measure) -> tuple[int, int] | None:
        """How many are bad and of how many, of a rate or share with a worse end; None: unknown."""
        if self.count is None or self.exposure is None:
            return None
        bad = self.count if measure.high_is_worse else max(self.exposure - self.count, 0)
        return bad, max(self.exposure, self.count)


_MONTH = re.compile(r"(\d{4})-(\d{2})")
_QUARTER = re.compile(r"(\d{4})[Qq]([1-4])")


@dataclass(frozen=True, order=True)
class AssessmentPeriod:
    """A month or a quarter of the operator's calendar. `first`: its first month, counted from year 0."""

    first: int
    months: int

    @classmethod
    def read(cls, text: str) -> AssessmentPeriod:
        """Parse `2026-10` or `2026Q3`. AssessmentError."""
        if (found := _MONTH.fullmatch(text.strip())) and 1 <= int(found[2]) <= 12:
            return cls(int(found[1]) * 12 + int(found[2]) - 1, 1)
        if found := _QUARTER.fullmatch(text.strip()):
            return cls(int(found[1]) * 12 + (int(found[2]) - 1) * 3, 3)
        raise AssessmentError(
            f"{text!r:.40} is no period: write a month like 2026-10, or a quarter like 2026Q3"
        )

    @property
    def since(self) -> datetime:
        """Its beginning, aware."""
        return _begins(self.first)

    @property
    def until(self) -> datetime:
        """Its end, exclusive, aware."""
        return _begins(self.first + self.months)

    @property
    def before(self) -> AssessmentPeriod:
        """The period of the same length before it."""
        return AssessmentPeriod(self.first - self.months, self.months)

    def __str__(self) -> str:
        year, month = divmod(self.first, 12)
        return f"{year:04d}-{month + 1:02d}" if self.months == 1 else f"{year:04d}Q{month // 3 + 1}"


def _begins(month: int) -> datetime:
    year, month = divmod(month, 12)
    try:
        return datetime(year, month + 1, 1, tzinfo=operator_zone().info)
    except ValueError:
        raise AssessmentError(f"the year {year} has no period; write one like 2026-10") from None


def month_of(at: datetime) -> str:
    """The month of a local, naive time, as a unit of `UnitKind.OPENING_MONTH`: 2026-10."""
    return f"{at.year:04d}-{at.month:02d}"
