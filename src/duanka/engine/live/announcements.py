"""Changes not made by rules: police cases, and decisions changed by a new policy.

Both are rows of `state.changes` with a sequence number, so that they reach hits.jsonl and decisions.jsonl like the
changes of rules: exactly once, also across crashes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime

import duckdb
import pyarrow as pa

from duanka.domain.police_reasons import CLAIMED, CONFIRMED
from duanka.domain.streaming import Change
from duanka.engine.live.state.checkpoint import Checkpoint
from duanka.engine.live.state.rollup_store import Run


def announce_cases(run: Run, progress: Checkpoint, now: datetime) -> Counter[tuple[str, Change]]:
    """Log new police cases: each (card, case) once, and once more when it is signed.

    A delivered case takes effect immediately; it waits neither for a record of the card nor for the end of a window.
    `now` (local) is used as the time of a case that has none.
    """
    new = (
        "SELECT card, case_id, coalesce(signed_by, '') AS signed_by, min(confirmed_at) AS moment FROM state.cases"
        " GROUP BY ALL"
    )
    unknown = "SELECT * FROM (" + new + ") ANTI JOIN state.confirmed USING (card, case_id, signed_by)"
    run(f"CREATE OR REPLACE TEMP TABLE announced AS {unknown}")
    cases = int(run("SELECT count(*) FROM announced")[0][0])
    if cases:
        run(
            f"INSERT INTO state.changes SELECT {progress.seq} + row_number() OVER (ORDER BY card, case_id, signed_by),"
            f" '{Change.RAISED.value}', card, CASE signed_by WHEN '' THEN '{CLAIMED}' ELSE '{CONFIRMED}' END,"
            f" coalesce(moment, TIMESTAMP '{now}'),"
            " CAST(to_json(struct_pack(case_id := case_id)) AS VARCHAR) FROM announced"
        )
        run("INSERT INTO state.confirmed SELECT card, case_id, signed_by FROM announced")
        progress.seq += cases
    run("DROP TABLE announced")
    return Counter({(CONFIRMED, Change.RAISED): cases} if cases else {})


def announce_again(
    db: duckdb.DuckDBPyConnection, run: Run, progress: Checkpoint, cards: Collection[str]
) -> Counter[tuple[str, Change]]:
    """Log one change for each of `cards` (all have a hit or case): new decisions."""
    db.register("given", pa.table({"card": pa.array(list(cards), pa.string())}))
    run(
        "CREATE OR REPLACE TEMP TABLE announced AS"
        " SELECT card, arg_min(rule, (kind, rule, seen_at, evidence)) AS rule,"
        " arg_min(seen_at, (kind, rule, seen_at, evidence)) AS seen_at,"
        " arg_min(evidence, (kind, rule, seen_at, evidence)) AS evidence FROM ("
        " SELECT 1 AS kind, card, rule, seen_at, evidence FROM state.hits"
        f" UNION ALL SELECT 0, card, CASE WHEN signed_by IS NULL THEN '{CLAIMED}' ELSE '{CONFIRMED}' END,"
        " coalesce(confirmed_at, TIMESTAMP '1970-01-01'),"
        " CAST(to_json(struct_pack(case_id := case_id)) AS VARCHAR) FROM state.cases"
        ") WHERE card IN (SELECT card FROM given) GROUP BY card"
    )
    db.unregister("given")
    run(
        f"INSERT INTO state.changes SELECT {progress.seq} + row_number() OVER (ORDER BY card),"
        f" '{Change.REVISED.value}', card, rule, seen_at, evidence FROM announced"
    )
    rules: dict[str, int] = dict(run("SELECT rule, count(*) FROM announced GROUP BY rule"))
    progress.seq += sum(rules.values())
    run("DROP TABLE announced")
    return Counter({(rule, Change.REVISED): count for rule, count in rules.items()})
