"""The services of casework that commands and API share."""

from __future__ import annotations

from dataclasses import dataclass

from duanka.casework.cases.queries import CaseQueries
from duanka.casework.cases.service import CaseFiles
from duanka.casework.clues.answers import ClueAnswers
from duanka.casework.clues.recipients import Recipients
from duanka.casework.clues.service import ClueService
from duanka.casework.victims.searching import VictimSearch


@dataclass(frozen=True, kw_only=True)
class ClueServices:
    """The services of clues for the police."""

    files: ClueService
    recipients: Recipients
    answers: ClueAnswers


@dataclass(frozen=True, kw_only=True)
class CaseworkServices:
    """The services that change or read casework, on one order database."""

    files: CaseFiles
    cases: CaseQueries
    victim_search: VictimSearch
    clues: ClueServices
