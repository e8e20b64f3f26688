"""What the rate of all other units lets expect of one: by the number of its cards, and by their ages too."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select

from duanka.domain.assessment import Measure, UnitFigure, UnitKind
from duanka.domain.card_age import WITH_A_MIX
from duanka.ledger.db.assessment.listings import assessment_figures


@dataclass(frozen=True)
class Expected:
    """Confirmed cards expected of a unit, as many as the others have for the same.

    `by_number`: for as many active cards; `by_age`: for as many of the same ages, None: not counted by age.
    """

    by_number: float
    by_age: float | None


@dataclass(frozen=True)
class OfAll:
    """Confirmed cards, active cards and standard exposure of all units; None: not of all of them."""

    events: int
    cards: int
    standard: float | None

    def of(self, measure: Measure, one: UnitFigure) -> Expected | None:
        """What is expected of a unit; None: another measure, unknown, or there is no other unit."""
        own = one.bad(measure) if one.unit and measure is Measure.CONFIRMED else None
        if own is None or self.cards <= own[1]:
            return None
        others, standard = self.events - own[0], one.standard
        if standard is None or self.standard is None or self.standard <= standard.cards:
            by_age = None
        else:
            by_age = standard.cards * others / (self.standard - standard.cards)
        return Expected(own[1] * others / (self.cards - own[1]), by_age)


def of_all_units(connection: Connection, run: str, kind: UnitKind | None) -> OfAll:
    """What all units of a kind in a run have together, in whosever scope; nothing, if such units have no mix."""
    if kind not in WITH_A_MIX:
        return OfAll(0, 0, None)
    column = assessment_figures.c
    count, exposure, standard = column["count"], column.exposure, column.standard
    of = case((count > exposure, count), else_=exposure)  # as in `UnitFigure.bad`
    query = select(
        func.coalesce(func.sum(count), 0).label("events"),
        func.coalesce(func.sum(of), 0).label("cards"),
        func.coalesce(func.sum(standard), 0).label("standard"),
        (func.count() == func.count(standard)).label("is_whole"),
    ).where(
        *(column.run_id == run, column.measure == Measure.CONFIRMED.value, column.kind == kind.value),
        *(column.unit != "", count.is_not(None), exposure.is_not(None)),
    )
    row = connection.execute(query).one()
    return OfAll(int(row.events), int(row.cards), float(row.standard) if row.is_whole else None)
