"""Figures of casework, as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from duanka.casework.figures import CaseworkFigure, FigureCount, FigureRow
from duanka.orders.masking import IN_FULL, View


class FigureCountShown(View):
    """One figure (统计)."""

    figure: CaseworkFigure
    group: str | None = Field(description="An operator or a city, empty: unknown; null: of all together.")
    count: int


class CaseworkFiguresShown(View):
    """Figures of a period (案件统计)."""

    items: list[FigureCountShown]

    @classmethod
    def told(cls, found: Sequence[FigureCount]) -> CaseworkFiguresShown:
        """Convert to a response."""
        return cls(items=[FigureCountShown.of(vars(one), IN_FULL) for one in found])


class FigureRowShown(View):
    """One thing that a figure counts."""

    at: datetime
    about: str = Field(description="A clue, a person's id, or a card, masked.", examples=["+86 138****0001"])
    source: str = Field(description="The clue or the person.", examples=["L0123456789AB"])
    operator: str
    city: str


class FigureRowsShown(View):
    """A page of what a figure counts, the earliest first."""

    items: list[FigureRowShown]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")

    @classmethod
    def told(cls, rows: Sequence[FigureRow], following: int | None) -> FigureRowsShown:
        """Convert to a response."""
        items = [FigureRowShown.of(vars(row), IN_FULL) for row in rows]
        return cls(items=items, next=None if following is None else str(following))
