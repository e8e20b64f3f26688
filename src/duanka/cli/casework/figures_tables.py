"""Lists of the figures of casework, for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from duanka.casework.figures import CaseworkFigure, FigureCount, FigureRow
from duanka.cli.output.list_columns import ListColumn, Listing
from duanka.cli.shell.language import shown
from duanka.domain.text import BilingualText

_ALL, _UNKNOWN = BilingualText("合计", "all"), BilingualText("未知", "unknown")

FIGURES: Listing[FigureCount] = Listing(
    BilingualText("统计", "figures"),
    (
        ListColumn("figure", ("项目", "figure"), lambda one: one.figure.value, word=CaseworkFigure),
        ListColumn(
            "group",
            ("范围", "of"),
            lambda one: one.group,
            lambda one: shown(_ALL) if one.group is None else one.group or shown(_UNKNOWN),
        ),
        ListColumn(
            "count", ("数量", "count"), lambda one: one.count, lambda one: f"{one.count:,}", right=True
        ),
    ),
)
FIGURE_ROWS: Listing[FigureRow] = Listing(
    BilingualText("明细", "rows"),
    (
        ListColumn("at", ("时间", "time"), lambda one: one.at),
        ListColumn("about", ("对象", "about"), lambda one: one.about),
        ListColumn("source", ("出处", "of"), lambda one: one.source),
        ListColumn("operator", ("运营商", "operator"), lambda one: one.operator, spare=2),
        ListColumn("city", ("城市", "city"), lambda one: one.city, spare=1),
    ),
)


@dataclass(frozen=True)
class FetchedRows:
    """A page of rows as lists fetch them."""

    items: Sequence[FigureRow]
    following: int | None

    @property
    def next(self) -> str | None:
        """Where the next page begins."""
        return None if self.following is None else str(self.following)
