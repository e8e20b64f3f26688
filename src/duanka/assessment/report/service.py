"""Reports of runs: gathered from the order database, compared, and written as PDF or workbook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from duanka.assessment.candidates import Candidate, compared_runs
from duanka.assessment.listing.service import UnitListings
from duanka.assessment.runs import AssessmentRun, AssessmentRuns, FigureOfRun
from duanka.assessment.stored_figures import stored_figure
from duanka.domain.assessment import AssessmentError, AssessmentPeriod, Measure, UnitFigure, UnitKind
from duanka.domain.authority import Permission, authorize
from duanka.domain.order import Person
from duanka.domain.private_files import write_private
from duanka.domain.text import Language
from duanka.ledger.db.assessment.listings import assessment_figures

if TYPE_CHECKING:
    from duanka.assessment.report.model import AssessmentReport, UnitComparison

_Past = Mapping[AssessmentPeriod, Mapping[Measure, Mapping[str, UnitFigure]]]


class ReportFile(StrEnum):
    """As what a report is written."""

    PDF = "pdf"
    WORKBOOK = "xlsx"


# The order in the report: what was done against fraud and what was done to holders take turns.
_KINDS = (UnitKind.OPERATOR, UnitKind.CITY, UnitKind.OUTLET, UnitKind.OPENING_MONTH, UnitKind.PLATFORM)
_MEASURES = (
    *(Measure.CONFIRMED, Measure.WRONGFUL, Measure.IN_TIME, Measure.UPHELD),
    *(Measure.ACCOUNTS, Measure.UNDELIVERED, Measure.RESTORE_P50, Measure.RESTORE_P95),
    *(Measure.PASSED, Measure.OUTLETS, Measure.WARNED, Measure.DISSUADED),
)


class AssessmentReports:
    """Reports of one order database."""

    def __init__(self, runs: AssessmentRuns, listings: UnitListings) -> None:
        self._runs, self._listings = runs, listings

    def of(self, run: str, by: Person) -> AssessmentReport:
        """Compare the units of a run (its id, its period, or "": the latest), over it and the periods before it.

        PermissionDenied, UnknownRun. AssessmentError: `by` does not see all operators and cities.
        """
        from duanka.assessment.report.model import AssessmentReport  # noqa: PLC0415  # with all that compares

        found = self._seen_whole(run, by)
        together = {one.measure: one.figure for one in self._runs.figures(found, by, None)}
        judged, candidates = not self._runs.missing(found, by), self._listings.candidates(found, by)
        return AssessmentReport(
            *(found.id, found.period, found.made_at, found.policy, found.digest, found.exposure, together),
            comparisons=self._comparisons(found, by, candidates),
            candidates=candidates if judged else None,
            unjudged=[one.words for one in self._listings.unjudged(found, by)],
        )

    def comparison(self, run: str, by: Person, kind: UnitKind, measure: Measure) -> UnitComparison:
        """Compare the units of one kind in one measure, as the report does; the worst first.

        PermissionDenied, UnknownRun. AssessmentError: `by` does not see all operators and cities.
        """
        found = self._seen_whole(run, by)
        figures = self._runs.figures(found, by, kind, measure)
        return self._compared(
            kind, measure, figures, self._past(found, kind), self._listings.candidates(found, by)
        )

    def _seen_whole(self, run: str, by: Person) -> AssessmentRun:
        authorize(by, Permission.READ_ASSESSMENT)
        if not by.scope.everywhere:
            raise AssessmentError(
                "a report compares all operators and cities: ask somebody who sees all of them, or see your own by"
                " `duanka assess show`"
            )
        return self._runs.get(run, by)

    def made(self, report: AssessmentReport, kind: ReportFile, language: Language) -> bytes:
        """The report as a file. DuankaError: what sets a PDF is missing."""
        if kind is ReportFile.PDF:
            from duanka.assessment.report.document import pdf_of  # noqa: PLC0415

            return pdf_of(report, self._runs.policy, language)
        from duanka.assessment.report.workbook import workbook_of  # noqa: PLC0415  # each takes time to import

        return workbook_of(report, self._runs.policy, language)

    def write(self, report: AssessmentReport, path: Path, language: Language) -> None:
        """Write a private file, replacing one that is there; the name's end says which. AssessmentError, OSError."""
        write_private(path, self.made(report, file_named(path.name), language))

    def _comparisons(
        self, run: AssessmentRun, by: Person, candidates: Sequence[Candidate]
    ) -> Sequence[UnitComparison]:
        found = list[Any]()
        for kind in _KINDS:
            figures, past = self._runs.figures(run, by, kind), self._past(run, kind)
            there = {one.measure for one in figures}
            found += [
                self._compared(kind, measure, figures, past, candidates)
                for measure in _MEASURES
                if measure in there
            ]
        return sorted(found, key=lambda one: _MEASURES.index(one.measure))

    def _past(self, run: AssessmentRun, kind: UnitKind) -> _Past:
        with self._runs.store.reading() as connection:
            return _past(connection, run, kind, self._runs)

    def _compared(
        self,
        kind: UnitKind,
        measure: Measure,
        figures: Sequence[FigureOfRun],
        past: _Past,
        candidates: Sequence[Candidate],
    ) -> UnitComparison:
        from duanka.assessment.report.compare import compared  # noqa: PLC0415  # scipy takes 0.3 s

        of_measure = [one for one in figures if one.measure is measure]
        listed = {one.unit for one in candidates if (one.measure, one.kind) == (measure, kind)}
        return compared(
            measure,
            kind,
            [one.figure for one in of_measure],
            {period: of.get(measure, {}) for period, of in past.items()},
            self._runs.policy,
            listed,
            {one.figure.unit: one.expected for one in of_measure},
        )


def file_named(name: str) -> ReportFile:
    """Which file a name is of, by its end. AssessmentError: another one."""
    end = Path(name).suffix.lower().removeprefix(".")
    if end not in tuple(ReportFile):
        raise AssessmentError(f"{name!r:.60} is no report's name: write FILE.pdf or FILE.xlsx")
    return ReportFile(end)


def _past(connection: Connection, run: AssessmentRun, kind: UnitKind, runs: AssessmentRuns) -> _Past:
    """Figures of the run and of those before it, by period, measure and unit; periods without a run are left out."""
    there = {
        run_id: period
        for period, run_id in compared_runs(connection, run.period, run.made_at, runs.policy)
        if run_id
    }
    found = {period: dict[Measure, dict[str, UnitFigure]]() for period in there.values()}
    query = select(assessment_figures).where(
        assessment_figures.c.run_id.in_(there), assessment_figures.c.kind == kind.value
    )
    for row in connection.execute(query).mappings():
        of = found[there[row["run_id"]]].setdefault(Measure(row["measure"]), {})
        of[row["unit"]] = stored_figure(row)
    return found
