"""Model of a policy file's table `[assessment]`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from duanka.domain.assessment import FigureShape, Measure, UnitKind
from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.policy_files.tables import Distinct, TomlTable, must_be, one_of

_SHIPPED = AssessmentPolicy()

Fraction = Annotated[float, Field(gt=0, lt=1), must_be("a number above 0 and below 1")]
Periods = Annotated[int, Field(ge=1, le=24), must_be("a whole number from 1 to 24")]
Few = Annotated[int, Field(ge=1, le=1000), must_be("a whole number from 1 to 1000")]
Least = Annotated[float, Field(ge=0, le=1e9), must_be("a number from 0")]
TermDays = Annotated[int, Field(ge=1, le=366), must_be("a whole number from 1 to 366")]
Times = Annotated[float, Field(ge=1, le=100), must_be("a number from 1 to 100")]
_COMPARED = tuple(
    one
    for one in Measure
    if one.high_is_worse is not None and one.shape in (FigureShape.RATE, FigureShape.SHARE)
)


class AssessmentTable(TomlTable):
    """`[assessment]`: the fields of AssessmentPolicy."""

    probability: Fraction = _SHIPPED.probability
    each_period: Fraction = _SHIPPED.each_period
    limit: Fraction = _SHIPPED.limit
    periods: Periods = _SHIPPED.periods
    false_discovery: Fraction = _SHIPPED.false_discovery
    least_events: Few = _SHIPPED.least_events
    least_exposure: Least = _SHIPPED.least_exposure
    least_units: Few = _SHIPPED.least_units
    excess: Times = _SHIPPED.excess
    history: Periods = _SHIPPED.history
    excused: Fraction = _SHIPPED.excused
    measures: Distinct[Annotated[Measure, one_of(*_COMPARED)]] = _SHIPPED.measures
    kinds: Distinct[Annotated[UnitKind, one_of(*UnitKind)]] = _SHIPPED.kinds
    term_days: TermDays = _SHIPPED.term_days
