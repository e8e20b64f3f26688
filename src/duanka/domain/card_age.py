"""The age of cards, by which an assessment tells the mix of a unit's cards from how well the unit works.

Cards just opened are confirmed far more often than old ones, whoever sold them, so a unit that sells more new cards
has a higher rate and is no worse for it. The bands are ours, chosen before any figure was seen: no rates by age are
public.
"""

from __future__ import annotations

from typing import Self

from duanka.domain.assessment import AssessmentPeriod, UnitKind
from duanka.domain.text import BilingualText, WordedEnum

# Units that have such a mix; all cards of an opening month are of one age.
WITH_A_MIX = (UnitKind.OPERATOR, UnitKind.CITY, UnitKind.OUTLET)


class CardAge(WordedEnum):
    """When a card was opened, in calendar months before the first month of a period; the youngest first.

    `least`: months at least; None: the register does not say, or names a time after the period, since the number has
    another holder now.
    """

    least: int | None

    def __new__(cls, value: str, zh: str = "", en: str = "", least: int | None = None) -> Self:
        """Create the member."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.words = BilingualText(zh, en)
        member.least = least
        return member

    IN_PERIOD = "in_period", "考核期内开卡", "opened in the period", 0
    RECENT = "recent", "此前1至2个月开卡", "opened 1 to 2 months before", 1
    SETTLED = "settled", "此前3至11个月开卡", "opened 3 to 11 months before", 3
    OLD = "old", "此前12个月以上开卡", "opened 12 months before or earlier", 12
    UNKNOWN = "unknown", "开卡时间未知", "opening date unknown"


def age_of(opened: str, period: AssessmentPeriod) -> CardAge:
    """The age of a card that was opened in the month `opened` (2026-10; "": unknown) in `period`."""
    if not opened:
        return CardAge.UNKNOWN
    before = period.first - AssessmentPeriod.read(opened).first
    if before <= -period.months:
        return CardAge.UNKNOWN
    return [one for one in CardAge if one.least is not None and one.least <= max(before, 0)][-1]
