"""Assessment: periods counted by unit, and what lies behind each figure."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Context, Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.http.openapi import BINARY
from duanka.api.schemas.assessment import runs as shown
from duanka.api.schemas.assessment.comparison import ComparisonShown
from duanka.api.schemas.assessment.runs import TheRun
from duanka.api.schemas.requests import After, Limit, Skip
from duanka.assessment.report.service import ReportFile
from duanka.assessment.rows import AssessedUnit
from duanka.assessment.runs import AssessmentRun
from duanka.domain.assessment import AssessmentPeriod, Measure, UnitKind
from duanka.domain.authority import Permission
from duanka.domain.order import Person
from duanka.domain.text import Language

router = Endpoints("assessment")
_FILES = {
    ReportFile.PDF: "application/pdf",
    ReportFile.WORKBOOK: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_By = Annotated[
    UnitKind | None, Query(alias="by", description="By which kind of unit; without it everything together.")
]


@router.endpoint(
    "POST /assessment-runs",
    "Count a period · 运行考核",
    Permission.RUN_ASSESSMENT,
    fails=(409,),
    status_code=201,
)
def run_assessment(here: Here, by: access.Caller, asks: shown.RunAsked) -> shown.RunWithGapsShown:
    """Every measure by operator, city, outlet, opening month and platform. 409: the period is not over.

    Without a store of records active cards are unknown, and so are rates.
    """
    return _with_gaps(
        here, by, here.desk.assessment.runs.run(AssessmentPeriod.read(asks.period), by, here.now)
    )


@router.endpoint("GET /assessment-runs", "Runs, the latest first · 考核列表", Permission.READ_ASSESSMENT)
def list_assessment_runs(here: Here, by: access.Caller, limit: Limit = 50) -> shown.RunsShown:
    """Periods that were counted, each as often as somebody did."""
    return shown.RunsShown(
        items=[shown.RunShown.told(one) for one in here.desk.assessment.runs.listed(by, limit)]
    )


@router.endpoint("GET /assessment-runs/{runId}", "A run · 查看考核", Permission.READ_ASSESSMENT, fails=(404,))
def get_assessment_run(here: Here, by: access.Caller, number: TheRun) -> shown.RunWithGapsShown:
    """With the earlier periods that the criterion asks for and nobody had run, and the units that were not judged."""
    return _with_gaps(here, by, here.desk.assessment.runs.get(number, by))


def _with_gaps(here: Context, by: Person, run: AssessmentRun) -> shown.RunWithGapsShown:
    desk = here.desk.assessment
    return shown.RunWithGapsShown.with_gaps(run, desk.runs.missing(run, by), desk.listings.unjudged(run, by))


@router.endpoint(
    "GET /assessment-runs/{runId}/figures",
    "Figures of a run · 考核指标",
    Permission.READ_ASSESSMENT,
    fails=(404,),
)
def list_assessment_figures(
    here: Here,
    by: access.Caller,
    number: TheRun,
    kind: _By = None,
    measure: Annotated[Measure | None, Query(description="Only this measure.")] = None,
    after: Skip = None,
    limit: Limit = 50,
) -> shown.FiguresOfRunShown:
    """Aggregates, within the scope of who asks. The units with the most of what is counted first: no ranking."""
    runs, skip = here.desk.assessment.runs, int(after or 0)
    found = runs.figures(runs.get(number, by), by, kind, measure, skip, limit + 1)
    return shown.FiguresOfRunShown.told(found, skip, limit)


@router.endpoint(
    "GET /assessment-runs/{runId}/comparison",
    "Units compared with limits of chance · 单位比较",
    Permission.READ_ASSESSMENT,
    fails=(404, 409),
)
def compare_assessed_units(
    here: Here,
    by: access.Caller,
    number: TheRun,
    kind: Annotated[UnitKind, Query(alias="by", description="By which kind of unit.")],
    measure: Annotated[Measure, Query(description="Which measure.")],
    limit: Annotated[int, Query(ge=1, le=10_000, description="How many units at most.")] = 1_000,
) -> ComparisonShown:
    """Intervals, ranks with theirs, and funnel limits, as in the report. 409: for who sees all operators and cities."""
    return ComparisonShown.told(here.desk.assessment.reports.comparison(number, by, kind, measure), limit)


@router.endpoint(
    "GET /assessment-runs/{runId}/rows",
    "What lies behind a figure · 考核明细",
    Permission.LIST_ASSESSED,
    fails=(404, 409),
)
def list_assessed_rows(
    here: Here,
    by: access.Caller,
    number: TheRun,
    measure: Annotated[Measure, Query(description="Which measure.")],
    kind: _By = None,
    unit: Annotated[
        str, Query(max_length=80, description="Which unit; empty: those whose unit is unknown.")
    ] = "",
    every: Annotated[bool, Query(description="Also what the measure does not count, but is of.")] = False,
    after: After = None,
    limit: Limit = 50,
) -> shown.AssessedRowsShown:
    """The earliest first, masked, as known when the run was made. It stands in the audit trail."""
    run, of = here.desk.assessment.runs.get(number, by), AssessedUnit(measure, kind, unit, every)
    return shown.AssessedRowsShown.told(
        *here.desk.assessment.rows.page(run, of, by, here.now, after or "", limit)
    )


@router.endpoint(
    "GET /assessment-formulas", "How measures are counted · 考核公式", Permission.READ_ASSESSMENT
)
def list_assessment_formulas(here: Here, by: access.Caller) -> shown.FormulasShown:
    """In words; the formulas are ours."""
    del here, by
    return shown.FormulasShown.told()


@router.endpoint(
    "GET /assessment-runs/{runId}/report",
    "The report of a run · 考核报告",
    Permission.READ_ASSESSMENT,
    fails=(404, 409),
    answers={200: {"description": "The report.", "content": dict.fromkeys(_FILES.values(), BINARY)}},
    response_class=Response,
)
def get_assessment_report(
    here: Here,
    by: access.Caller,
    number: TheRun,
    file: Annotated[
        ReportFile, Query(description="As a PDF, or as a workbook with every figure.")
    ] = ReportFile.PDF,
    language: Annotated[Language, Query(description="Of the report.")] = "zh",
) -> Response:
    """As `duanka report assessment`: units compared with bounds. For who sees all operators and cities; else 409."""
    reports = here.desk.assessment.reports
    found = reports.of(number, by)
    headers = {"Content-Disposition": f'attachment; filename="{found.run}.{file.value}"'}
    return Response(reports.made(found, file, language), headers=headers, media_type=_FILES[file])
