"""Runs of the assessment, as the API takes and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field

from duanka.api.schemas.requests import AskedModel, casework_path
from duanka.assessment.formulas import FORMULAS
from duanka.assessment.rows import AssessedRow
from duanka.assessment.runs import AssessmentRun, FigureOfRun
from duanka.assessment.unjudged import UnjudgedUnits
from duanka.domain.assessment import AssessmentPeriod, FigureShape, Measure, UnitKind
from duanka.orders.masking import IN_FULL, View
from duanka.orders.views import WordsShown

TheRun = Annotated[str, casework_path("runId", "Y", "The run (考核).")]


class RunAsked(AskedModel):
    """A period to count (考核期)."""

    period: Annotated[str, Field(pattern=r"^20[0-9]{2}(-(0[1-9]|1[0-2])|Q[1-4])$", max_length=7)] = Field(
        description="A month or a quarter of the operator's calendar, which is over.", examples=["2026-02"]
    )


class FormulaShown(View):
    """How a measure is counted; the formulas are ours."""

    measure: Measure
    shape: FigureShape
    name: WordsShown
    formula: WordsShown


class FormulasShown(View):
    """The formulas of all measures (考核公式)."""

    items: list[FormulaShown]

    @classmethod
    def told(cls) -> FormulasShown:
        """All of them."""

        def one(measure: Measure) -> FormulaShown:
            name, formula = measure.words, FORMULAS[measure]
            return FormulaShown(
                measure=measure,
                shape=measure.shape,
                name=WordsShown(zh=name.zh, en=name.en),
                formula=WordsShown(zh=formula.zh, en=formula.en),
            )

        return cls(items=[one(measure) for measure in Measure])


class RunShown(View):
    """A run: a period counted once (考核)."""

    id: str = Field(examples=["Y0123456789AB"])
    period: str = Field(examples=["2026-02"])
    made_at: datetime
    made_by: str
    policy: str
    policy_digest: str
    exposure: str = Field(description="Why active cards are unknown; empty: they are known.")
    digest: str = Field(description="SHA-256 of period, criteria and figures: the same data give the same.")

    @classmethod
    def told(cls, run: AssessmentRun) -> RunShown:
        """Convert to a response."""
        return cls.of({**vars(run), "period": str(run.period)}, IN_FULL)


class UnjudgedShown(View):
    """A measure and kind of unit of which units were not judged: that none is a candidate says nothing of these."""

    measure: Measure
    kind: UnitKind
    units: int = Field(description="How many units are known; 0: none.")
    left: int = Field(description="How many of them were not judged.")
    why: WordsShown


class RunWithGapsShown(RunShown):
    """A run, and whom it could not judge for the criterion of a listing."""

    missing: list[str] = Field(
        description="Earlier periods that the criterion asks for and nobody ran: while there are any, nobody is judged."
    )
    unjudged: list[UnjudgedShown] = Field(
        description="Units that were not judged, once no period is missing."
    )

    @classmethod
    def with_gaps(
        cls, run: AssessmentRun, missing: Sequence[AssessmentPeriod], unjudged: Sequence[UnjudgedUnits]
    ) -> RunWithGapsShown:
        """Convert to a response."""
        left = [{**vars(one), "why": WordsShown(zh=one.words.zh, en=one.words.en)} for one in unjudged]
        told = {**vars(run), "period": str(run.period), "missing": list(map(str, missing)), "unjudged": left}
        return cls.of(told, IN_FULL)


class RunsShown(View):
    """Runs, the latest first."""

    items: list[RunShown]


class FigureOfRunShown(View):
    """One figure of a run; null: unknown."""

    measure: Measure
    kind: UnitKind | None = Field(description="null: everything together.")
    unit: str = Field(description="Empty: it is not known whose these are.")
    count: int | None
    exposure: int | None = Field(description="Of how many; null: unknown, or the measure has none.")
    value: float | None = Field(description="Per 10,000, a fraction, hours or a count, by the measure.")
    lower: float | None = Field(
        description="Of the figure's 95% interval (Jeffreys); null: no rate or share."
    )
    upper: float | None
    expected_by_number: float | None = Field(
        description="Of confirmed cards: so many as other units have of as many active cards; null: unknown, or no"
        " operator, city or outlet."
    )
    expected_by_age: float | None = Field(
        description="So many as other units have of as many active cards of the same ages, as new cards are confirmed"
        " far more often; null: not counted by age."
    )


class FiguresOfRunShown(View):
    """A page of figures: the order is by what was counted, and ranks nobody."""

    items: list[FigureOfRunShown]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")

    @classmethod
    def told(cls, found: Sequence[FigureOfRun], skip: int, limit: int) -> FiguresOfRunShown:
        """Convert to a response; one row more than `limit` tells that another page follows."""
        items = [
            FigureOfRunShown(
                measure=one.measure,
                kind=one.kind,
                unit=one.figure.unit,
                count=one.figure.count,
                exposure=one.figure.exposure,
                value=one.value,
                lower=one.bounds[0] if one.bounds else None,
                upper=one.bounds[1] if one.bounds else None,
                expected_by_number=one.expected.by_number if one.expected else None,
                expected_by_age=one.expected.by_age if one.expected else None,
            )
            for one in found[:limit]
        ]
        return cls(items=items, next=str(skip + limit) if len(found) > limit else None)


class AssessedRowShown(View):
    """One thing behind a figure."""

    at: datetime
    about: str = Field(description="A card, masked, or a person's id.", examples=["+86 138****0001"])
    source: str = Field(description="The order, notice or request.")
    counted: bool = Field(description="Whether the measure counts it, or it is only one of how many.")
    operator: str
    city: str
    outlet: str
    opened: str = Field(
        description="Month in which the card was opened; empty: unknown.", examples=["2026-02"]
    )
    platform: str
    hours: float | None


class AssessedRowsShown(View):
    """A page of what lies behind a figure, the earliest first."""

    items: list[AssessedRowShown]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")

    @classmethod
    def told(cls, rows: Sequence[AssessedRow], following: str | None) -> AssessedRowsShown:
        """Convert to a response."""
        return cls(items=[AssessedRowShown.of(vars(row), IN_FULL) for row in rows], next=following)
