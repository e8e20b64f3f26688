"""The headline figures, as the API shows them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from duanka.assessment.figures.rows import HeadlinePage
from duanka.domain.headline import Certainty, HeadlineFigure, HeadlineFigures
from duanka.orders.masking import IN_FULL, View


class HeadlineCountShown(View):
    """One figure (总体数据)."""

    figure: HeadlineFigure
    group: str | None = Field(
        description="Operator, city, outlet, month, day or platform, empty: unknown; null: of all together."
    )
    count: int | None = Field(description="null: nothing was measured, so it is unknown.")
    certainty: Certainty
    covered: float = Field(description="Share of the period that was measured, 0 to 1.")
    losses: int = Field(description="Known losses that touch the period.")
    lost: int = Field(description="Events in these losses, as far as their number is known.")


class HeadlineFiguresShown(View):
    """The headline figures of a period (五项总体数据), as it was counted."""

    since: datetime
    until: datetime
    items: list[HeadlineCountShown]

    @classmethod
    def told(cls, found: HeadlineFigures) -> HeadlineFiguresShown:
        """Convert to a response."""
        items = [
            HeadlineCountShown.of({**vars(one), "certainty": one.certainty}, IN_FULL) for one in found.counts
        ]
        return cls(since=found.since, until=found.until, items=items)


class HeadlineRowShown(View):
    """One thing that a figure counts."""

    at: datetime
    about: str = Field(
        description="A number, masked, a clue, or a victim's id.", examples=["+86 138****0001"]
    )
    what: str = Field(description="Why it was refused, or the event that counted.")
    source: str = Field(description="Element, order, clue or victim.", examples=["call_proxy"])
    operator: str
    city: str


class HeadlineRowsShown(View):
    """A page of what a figure counts, the earliest first."""

    items: list[HeadlineRowShown]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")

    @classmethod
    def told(cls, page: HeadlinePage) -> HeadlineRowsShown:
        """Convert to a response."""
        return cls(items=[HeadlineRowShown.of(vars(row), IN_FULL) for row in page.items], next=page.next)
