"""The services of the assessment that commands and API share."""

from __future__ import annotations

from dataclasses import dataclass

from duanka.assessment.figures.service import HeadlineQueries
from duanka.assessment.listing.service import UnitListings
from duanka.assessment.report.service import AssessmentReports
from duanka.assessment.rows import AssessedRows
from duanka.assessment.runs import AssessmentRuns


@dataclass(frozen=True, kw_only=True)
class AssessmentServices:
    """The services of the assessment, on one order database."""

    figures: HeadlineQueries
    runs: AssessmentRuns
    rows: AssessedRows
    listings: UnitListings
    reports: AssessmentReports
