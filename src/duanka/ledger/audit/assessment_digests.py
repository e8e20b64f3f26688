"""Digests of what belongs to a run of the assessment or to a listing, and rows that belong to none.

The row of a run stands for its figures and candidates, that of a listing for its steps: each has one digest in the
audit trail, over all columns, so that a row that is changed, put in or removed is seen at its run or listing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator

from sqlalchemy import Connection, Table, select

from duanka.ledger.db.assessment.listings import (
    assessment_candidates,
    assessment_figures,
    assessment_runs,
    listing_steps,
    listings,
)

FIGURES, CANDIDATES, STEPS = "figures", "candidates", "steps"
_MOST_NAMED = 100  # runs or listings that are missing and named; more would add no information


def of_runs(connection: Connection, of: Collection[str]) -> dict[str, dict[str, object]]:
    """Return the digests of the figures and of the candidates of each run."""
    return {
        run: {
            FIGURES: _digest(connection, assessment_figures, "run_id", run),
            CANDIDATES: _digest(connection, assessment_candidates, "run_id", run),
        }
        for run in of
    }


def of_listings(connection: Connection, of: Collection[str]) -> dict[str, dict[str, object]]:
    """Return the digest of the steps of each listing: who, when, the reason, the evidence or the objection."""
    return {one: {STEPS: _digest(connection, listing_steps, "listing_id", one)} for one in of}


def rows_of_none(connection: Connection) -> Iterator[str]:
    """Yield what is of a run or listing that is not there: put in past the trail, or left when that was removed."""
    for table, of, whole in (
        (assessment_figures, "run_id", assessment_runs),
        (assessment_candidates, "run_id", assessment_runs),
        (listing_steps, "listing_id", listings),
    ):
        there = select(whole.c.id).where(whole.c.id == table.c[of]).exists()
        lost = select(table.c[of]).where(~there).distinct().limit(_MOST_NAMED)
        what = table.name.replace("_", " ")
        yield from (
            f"{what} {one} are of nothing that is there: put in past the trail, or left over"
            for one in connection.execute(lost).scalars()
        )


def _digest(connection: Connection, table: Table, of: str, key: str) -> str:
    """SHA-256 over all columns of the rows about `key`, in an order that no collation changes."""
    names = sorted(column.name for column in table.columns)
    found = connection.execute(select(*(table.c[name] for name in names)).where(table.c[of] == key))
    rows = sorted(json.dumps([*row], ensure_ascii=False, default=str) for row in found)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
