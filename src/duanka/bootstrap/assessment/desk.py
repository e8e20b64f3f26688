"""Wires the services of the assessment on an order database and a store of records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from duanka.assessment.desk import AssessmentServices
from duanka.assessment.listing.service import UnitListings
from duanka.assessment.report.service import AssessmentReports
from duanka.assessment.rows import AssessedRows
from duanka.assessment.runs import AssessmentRuns
from duanka.bootstrap.assessment.figures import headline
from duanka.domain.assessment_lookups import ExposureLookups
from duanka.domain.card_facts import CardFacts
from duanka.domain.network import RefusalArchive
from duanka.domain.policy import Policy
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store


class AssessmentRecords(ExposureLookups, CardFacts, Protocol):
    """The store, as the assessment asks it."""


def assessment(
    store: Store,
    trail: Trail,
    policy: Policy,
    records: Callable[[], AssessmentRecords],
    archive: Callable[[], RefusalArchive | None] = lambda: None,
) -> AssessmentServices:
    """The services. `records`: LookupRefused: no store is attached; `archive`: the store's older refusals."""
    runs = AssessmentRuns(store, trail, records, policy.id, policy.assessment)
    listings = UnitListings(runs)
    return AssessmentServices(
        figures=headline(store, trail, records, archive),
        runs=runs,
        rows=AssessedRows(runs),
        listings=listings,
        reports=AssessmentReports(runs, listings),
    )
