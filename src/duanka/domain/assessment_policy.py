"""Policy of the assessment: when a unit is listed for rectification. The criteria are ours."""

from __future__ import annotations

from dataclasses import dataclass

from duanka.domain.assessment import Measure, UnitKind


@dataclass(frozen=True)
class AssessmentPolicy:
    """When a unit (operator, city, outlet, ...) is listed; fractions are above 0 and below 1.

    `probability`: that a unit is worse than the rest, in each of the last `periods` periods; `each_period`: that it is
    worse than what its own past and the others let expect, in each of them. `limit`: coverage of the funnel limits,
    two-sided, around what is expected, that all these periods together must lie outside of.
    `false_discovery`: share of the listed that are listed by chance, at most, in expectation. `least_events`: of the
    last periods together, so that one or two confirmed cards list nobody. `least_exposure`: active cards (or stops
    decided, ...) that a unit has in each period. `least_units`: that are compared; of fewer nothing is said.
    `excess`: a unit is listed only for more than so many times the rate of the others, however sure that is.
    `history`: earlier periods that expectations are learned from, at most. `excused`: a unit's own past excuses it up
    to this quantile of what units differ by, so that who was always bad is not measured by that.
    `measures`, `kinds`: which are judged. `term_days`: for putting things right, from the approval of a listing on.
    """

    probability: float = 0.99
    each_period: float = 0.9
    limit: float = 0.998
    periods: int = 2
    false_discovery: float = 0.05
    least_events: int = 3
    least_exposure: float = 1.0
    least_units: int = 5
    excess: float = 1.2
    history: int = 12
    excused: float = 0.99
    measures: tuple[Measure, ...] = (Measure.CONFIRMED, Measure.WRONGFUL)
    kinds: tuple[UnitKind, ...] = (UnitKind.OPERATOR, UnitKind.CITY, UnitKind.OUTLET)
    term_days: int = 30
