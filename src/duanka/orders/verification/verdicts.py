"""Verdicts as stored and audited: numbers and reasons, no biometric data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import update

from duanka.domain.identity import CheckReason, Outcome, Verdict
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.order import SYSTEM, Order
from duanka.ledger.audit.row_digests import CHECKS
from duanka.ledger.audit.row_digests import found as rows_found
from duanka.ledger.db.tables_identity import checks
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork


def as_its_tier_wants(verdict: Verdict, order: Order, policy: IdentityPolicy) -> Verdict:
    """Turn a pass into a review if the order's present tier needs a person."""
    if verdict.outcome is Outcome.PASSED and order.tier in policy.review_tiers:
        return replace(verdict, outcome=Outcome.REVIEW, reasons=(CheckReason.POLICY,))
    return verdict


def keep(unit: UnitOfWork, row: Mapping[Any, Any], found: Verdict, *, counted: bool, waits: bool) -> None:
    """Store and audit the verdict: numbers and reasons, no picture, no embedding."""
    similarity = found.similarity
    similarity = None if similarity is None or not math.isfinite(similarity) else float(similarity)
    signals = {name: round(float(value), 4) for name, value in found.signals.items() if math.isfinite(value)}
    reasons = " ".join(found.reasons)
    values = {
        "submitted_at": row["submitted_at"] or unit.now,
        "decided_at": unit.now,
        "outcome": found.outcome.value,
        "counted": int(counted),
        "similarity": similarity,
        "reasons": reasons,
        "signals": json.dumps(signals),
        "reviewed_at": unit.now if found.outcome is Outcome.REVIEW and not waits else None,
    }
    was = rows_found(unit.connection, CHECKS, row["order_id"])
    unit.connection.execute(update(checks).where(checks.c.id == row["id"]).values(values))
    told: dict[str, object] = {"outcome": found.outcome.value, "reasons": reasons, "counted": counted}
    if similarity is not None:
        told["similarity"] = round(similarity, 3)
    unit.note(SYSTEM, "check.settle", row["order_id"], "the check online", {}, told, was)
