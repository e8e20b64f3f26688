"""The services of casework that commands and API share."""

from __future__ import annotations

from dataclasses import dataclass

from duanka.casework.cases.queries import CaseQueries
from duanka.casework.cases.service import CaseFiles
from duanka.casework.victims.searching import VictimSearch


@dataclass(frozen=True, kw_only=True)
class CaseworkServices:
    """The services that change or read casework, on one order database."""

    files: CaseFiles
    cases: CaseQueries
    victim_search: VictimSearch
