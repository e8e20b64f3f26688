"""Log of hit changes, including those made by no rule: cases, new decisions.

All are rows of `state.changes` with a sequence number, so that they reach hits.jsonl and decisions.jsonl exactly once,
also across crashes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime

import pyarrow as pa

from duanka.domain.police_reasons import CLAIMED, CONFIRMED
from duanka.domain.streaming import Change
from duanka.engine.live.state.state_file import LiveState
from duanka.engine.shared.duckdb_database import lent

Changes = Counter[tuple[str, Change]]  # of hits, by (rule, kind)


def log_changes(state: LiveState, changed: str, order: str) -> Changes:
    """Log the rows of the table or subquery `changed` (kind and a hit's columns), sorted by `order`."""
    counts = state.run(f"SELECT rule, kind, count(*) FROM {changed} GROUP BY ALL")
    state.run(
        f"INSERT INTO state.changes SELECT {state.progress.seq} + row_number() OVER (ORDER BY {order}),"
        f" kind, card, rule, seen_at, evidence FROM {changed}"
    )
    found = Counter({(rule, Change(kind)): count for rule, kind, count in counts})
    state.progress.seq += found.total()
    return found


def number_after(state: LiveState, seq: int) -> None:
    """Let changes have numbers after `seq`, those too that are not written yet."""
    if seq > state.progress.seq:
        state.run(f"UPDATE state.changes SET seq = seq + {seq}")
        state.progress.seq += seq


def announce_cases(state: LiveState, now: datetime) -> Changes:
    """Log new police cases: each (card, case) once, and once more when it is signed.

    A delivered case takes effect immediately; it waits neither for a record of the card nor for the end of a window.
    `now` (local) is used as the time of a case that has none.
    """
    new = (
        "SELECT card, case_id, coalesce(signed_by, '') AS signed_by, min(confirmed_at) AS moment FROM state.cases"
        " GROUP BY ALL"
    )
    state.run(
        f"CREATE OR REPLACE TEMP TABLE announced AS SELECT *, '{Change.RAISED.value}' AS kind,"
        f" CASE signed_by WHEN '' THEN '{CLAIMED}' ELSE '{CONFIRMED}' END AS rule,"
        f" coalesce(moment, TIMESTAMP '{now}') AS seen_at,"
        " CAST(to_json(struct_pack(case_id := case_id)) AS VARCHAR) AS evidence"
        f" FROM ({new}) ANTI JOIN state.confirmed USING (card, case_id, signed_by)"
    )
    cases = log_changes(state, "announced", "card, case_id, signed_by").total()
    state.run("INSERT INTO state.confirmed SELECT card, case_id, signed_by FROM announced")
    state.run("DROP TABLE announced")
    return Counter({(CONFIRMED, Change.RAISED): cases} if cases else {})


def announce_again(state: LiveState, cards: Collection[str]) -> Changes:
    """Log one change for each of `cards` (with a hit or case), to publish new decisions."""
    first = "(kind, rule, seen_at, evidence)"
    with lent(state.db, "given", pa.table({"card": pa.array(list(cards), pa.string())})):
        state.run(
            f"CREATE OR REPLACE TEMP TABLE announced AS SELECT '{Change.REVISED.value}' AS kind, card,"
            f" arg_min(rule, {first}) AS rule, arg_min(seen_at, {first}) AS seen_at,"
            f" arg_min(evidence, {first}) AS evidence FROM ("
            " SELECT 1 AS kind, card, rule, seen_at, evidence FROM state.hits"
            f" UNION ALL SELECT 0, card, CASE WHEN signed_by IS NULL THEN '{CLAIMED}' ELSE '{CONFIRMED}' END,"
            " coalesce(confirmed_at, TIMESTAMP '1970-01-01'),"
            " CAST(to_json(struct_pack(case_id := case_id)) AS VARCHAR) FROM state.cases"
            ") WHERE card IN (SELECT number_key(card) FROM given) GROUP BY card"
        )
    found = log_changes(state, "announced", "card")
    state.run("DROP TABLE announced")
    return found
