"""The services of the assessment that commands and API share."""

from __future__ import annotations

from dataclasses import dataclass

from duanka.assessment.runs import AssessmentRuns


@dataclass(frozen=True, kw_only=True)
class AssessmentServices:
    """The services of the assessment, on one order database."""

    runs: AssessmentRuns
