"""Units compared, as the API shows them: figures with intervals, limits of chance, ranks with theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from duanka.domain.assessment import FigureShape, Measure, UnitKind
from duanka.orders.masking import View
from duanka.orders.views import WordsShown

if TYPE_CHECKING:
    from duanka.assessment.report.model import ComparedUnit, FunnelCurve, UnitComparison


class ComparedUnitShown(View):
    """A unit among the others; null: unknown, or not compared."""

    unit: str = Field(description="Empty: it is not known whose these are.")
    count: int | None
    exposure: int | None = Field(description="Of how many.")
    value: float | None = Field(description="Per 10,000, a fraction, hours or a count, by the measure.")
    compared: float | None = Field(
        description="The figure as it is compared: by standard exposure where `byAge`."
    )
    size: float | None = Field(description="Of how many it is compared: its place in the funnel.")
    lower: float | None = Field(description="Of the 95% interval of `compared` (Jeffreys).")
    upper: float | None
    shrunk: float | None = Field(
        description="The figure drawn towards the others, as far as a small unit says little."
    )
    shrunk_lower: float | None = Field(description="Of the 95% interval of `shrunk`.")
    shrunk_upper: float | None
    rank: int | None = Field(description="1 is the best; to be read with its 95% interval alone.")
    rank_low: int | None
    rank_high: int | None
    place: int = Field(
        description="-2 below the 99.8% limit, -1 below the 95% one, 0 inside, 1 and 2 above.", ge=-2, le=2
    )
    listed: bool = Field(description="It meets the criterion of a listing.")
    expected_by_number: float | None
    expected_by_age: float | None

    @classmethod
    def told(cls, one: ComparedUnit) -> ComparedUnitShown:
        """Convert to a response."""
        expected = one.expected
        named = {name: getattr(one, name) for name in cls.model_fields if hasattr(one, name)}
        return cls(
            **named,
            unit=one.figure.unit,
            count=one.figure.count,
            exposure=one.figure.exposure,
            expected_by_number=expected.by_number if expected else None,
            expected_by_age=expected.by_age if expected else None,
        )


class FunnelLimitsShown(View):
    """Limits of chance of one coverage at each size of `at`."""

    coverage: float = Field(examples=[0.998])
    lower: list[float]
    upper: list[float]


class FunnelShown(View):
    """How far a unit of each size strays from all together by chance, and by what units differ by anyway."""

    target: float = Field(description="The figure of all together.")
    at: list[float] = Field(description="Sizes, ascending.")
    limits: list[FunnelLimitsShown]
    spread: float = Field(description="By how much units differ beside chance, relative to the target.")

    @classmethod
    def told(cls, curve: FunnelCurve) -> FunnelShown:
        """Convert to a response."""
        limits = [
            FunnelLimitsShown(coverage=coverage, lower=list(lower), upper=list(upper))
            for coverage, (lower, upper) in curve.limits.items()
        ]
        return cls(target=curve.target, at=list(curve.at), limits=limits, spread=curve.spread)


class ComparisonShown(View):
    """One measure of all units of a kind, as the report compares them (比较)."""

    measure: Measure
    kind: UnitKind
    shape: FigureShape
    high_is_worse: bool | None = Field(description="null: neither end is worse.")
    why_not: WordsShown | None = Field(description="Why units are not compared; null: they are.")
    by_age: bool = Field(description="Compared by active cards counted by their age.")
    funnel: FunnelShown | None
    units: list[ComparedUnitShown] = Field(
        description="The worst first, at most `limit`; units that are unknown last."
    )
    total: int = Field(description="How many units there are.")

    @classmethod
    def told(cls, found: UnitComparison, limit: int) -> ComparisonShown:
        """Convert to a response."""
        why = found.why_not
        return cls(
            measure=found.measure,
            kind=found.kind,
            shape=found.measure.shape,
            high_is_worse=found.measure.high_is_worse,
            why_not=WordsShown(zh=why.zh, en=why.en) if why else None,
            by_age=found.by_age,
            funnel=FunnelShown.told(found.curve) if found.curve else None,
            units=[ComparedUnitShown.told(one) for one in found.units[:limit]],
            total=len(found.units),
        )
