"""Wires the services of the assessment on an order database and a store of records."""

from __future__ import annotations

from collections.abc import Callable

from duanka.assessment.desk import AssessmentServices
from duanka.assessment.runs import AssessmentRuns
from duanka.domain.assessment_lookups import ExposureLookups
from duanka.domain.policy import Policy
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store


def assessment(
    store: Store, trail: Trail, policy: Policy, records: Callable[[], ExposureLookups]
) -> AssessmentServices:
    """The services. `records`: LookupRefused: no store is attached."""
    return AssessmentServices(runs=AssessmentRuns(store, trail, records, policy.id, policy.assessment))
