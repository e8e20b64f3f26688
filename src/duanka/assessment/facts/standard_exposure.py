"""Active cards counted for how often cards of their age are confirmed elsewhere: by unit and age, beside confirmed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, func, select

from duanka.assessment.facts.counting import PlacedFigure, placed
from duanka.assessment.facts.events import CountedTime
from duanka.domain.assessment import AssessmentPeriod, Measure, StandardExposure, UnitFigure, UnitKind
from duanka.domain.assessment_lookups import ActiveCards
from duanka.domain.card_age import CardAge, age_of

_DIGITS = 9  # that are kept, so that the last bits of a sum change no digest


def with_standard_exposure(
    connection: Connection,
    found: Sequence[PlacedFigure],
    active: Sequence[ActiveCards],
    kind: UnitKind,
    period: AssessmentPeriod,
    time: CountedTime,
) -> Sequence[PlacedFigure]:
    """Put beside each unit of `found`, which are confirmed and active cards, its standard exposure.

    Left as it is: the rest whose unit is not known, and units whose count or active cards are unknown.
    """
    import numpy as np  # noqa: PLC0415  # as scipy, which takes 0.3 s, and few need it

    from duanka.assessment.comparison.standardisation import standardised  # noqa: PLC0415

    confirmed = _confirmed_by_age(connection, kind, period, time)
    there = {one.unit: one.by_age for one in active if one.kind is kind}
    units = [one.figure.unit for one in found if _is_known(one.figure)]
    if len(units) < 2:
        return found
    events, cards = (
        [[of.get(unit, {}).get(age, 0) for age in CardAge] for unit in units] for of in (confirmed, there)
    )
    # one whose operator only an order names is no active card of it
    mix = standardised(np.minimum(events, cards), cards)
    standard = {
        unit: StandardExposure(*(float(f"{float(one):.{_DIGITS}g}") for one in pair))
        for unit, *pair in zip(units, mix.exposure, mix.basis, strict=True)
    }
    return [replace(one, figure=replace(one.figure, standard=standard.get(one.figure.unit))) for one in found]


def _is_known(one: UnitFigure) -> bool:
    return bool(one.unit) and one.count is not None and one.exposure is not None


def _confirmed_by_age(
    connection: Connection, kind: UnitKind, period: AssessmentPeriod, time: CountedTime
) -> dict[str, Counter[CardAge]]:
    source = placed(Measure.CONFIRMED, kind, time).c
    # a card that no register names is of no age, and no active card either
    query = select(source.unit, source.month, func.count().label("cards")).where(source.month.is_not(None))
    found = dict[str, Counter[CardAge]]()
    for row in connection.execute(query.group_by(source.unit, source.month)):
        found.setdefault(row.unit, Counter())[age_of(row.month, period)] += row.cards
    return found
