"""The five headline figures, what they are counted by, and how sure each is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from duanka.domain.network import Carried
from duanka.domain.order import PermissionDenied
from duanka.domain.person import Person, Scope
from duanka.domain.text import WordedEnum


class HeadlineFigure(WordedEnum):
    """What is counted of a period."""

    CALLS = "calls_intercepted", "拦截电话", "calls intercepted"
    MESSAGES = "messages_intercepted", "拦截短信", "messages intercepted"
    NUMBERS = "numbers_handled", "处置号码", "numbers handled"
    CLUES = "clues_sent", "移交线索", "clues to the police"
    DISSUADED = "victims_dissuaded", "劝阻受害人", "victims dissuaded"


INTERCEPTED = {HeadlineFigure.CALLS: Carried.CALL, HeadlineFigure.MESSAGES: Carried.MESSAGE}


class FigureSplit(WordedEnum):
    """By what figures are split; `month` and `day`: of the event."""

    OPERATOR = "operator", "运营商"
    CITY = "city", "城市"
    OUTLET = "outlet", "网点"
    MONTH = "month", "月份"
    DAY = "day", "日期"
    PLATFORM = "platform", "互联网平台"


@dataclass(frozen=True)
class FigurePlace:
    """An operator and a city that figures are asked for; None: any, "": of what has no known one."""

    operator: str | None = None
    city: str | None = None

    @classmethod
    def read(cls, operator: str | None, city: str | None) -> FigurePlace:
        """The place as it is typed: `-` stands for an unknown one."""
        return cls(*(None if one is None else one.removeprefix("-") for one in (operator, city)))

    def narrowed(self, person: Person) -> Person:
        """The person with the part of their scope that lies in this place. PermissionDenied: nothing of it does."""
        scope = person.scope
        operators = scope.operators if self.operator is None else frozenset({self.operator})
        cities = scope.cities if self.city is None else frozenset({self.city})
        narrowed = Scope(operators, cities)
        if not scope.contains(narrowed):
            raise PermissionDenied(f"{narrowed} is out of the scope of {person.id} ({scope})")
        return replace(person, scope=narrowed)


ANYWHERE = FigurePlace()


class Certainty(WordedEnum):
    """How a count is to be read."""

    EXACT = "exact", "准确"
    AT_LEAST = "at_least", "至少", "at least"
    UNKNOWN = "unknown", "未知"


@dataclass(frozen=True)
class HeadlineCount:
    """One figure of a period.

    `group`: an operator, city, outlet, month (2026-10) or platform, "": unknown; None: of all together. `count`: None
    if nothing was measured. `covered`: share of the period that was measured, 0 to 1. `lost`: events that are known to
    be lost, as far as their number is known; `losses`: how many losses touch the period.
    """

    figure: HeadlineFigure
    group: str | None
    count: int | None
    covered: float
    losses: int = 0
    lost: int = 0

    @property
    def certainty(self) -> Certainty:
        """Exact, at least, or unknown."""
        if self.count is None:
            return Certainty.UNKNOWN
        return Certainty.EXACT if self.covered >= 1 and not self.losses else Certainty.AT_LEAST


@dataclass(frozen=True)
class HeadlineFigures:
    """The figures from `since` until before `until`, as they were counted."""

    since: datetime
    until: datetime
    counts: tuple[HeadlineCount, ...]


@dataclass(frozen=True)
class HeadlineRow:
    """One thing that a figure counts. `about`: a number, masked, a clue or the id of a victim.

    `what`: the reason of a refusal, or the event that ended an order; `source`: the element, order, clue or victim.
    """

    at: datetime
    about: str
    what: str
    source: str
    operator: str
    city: str
