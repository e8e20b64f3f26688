"""Partial rollup of a batch: pre-aggregated, or one row a record.

Readers merge partials anyway, so both give the same result. When few records of a batch share a key, grouping costs
more than it saves.
"""

from __future__ import annotations

from collections.abc import Collection

from duanka.domain.rollups import MergeOperation, Rollup, RollupSource
from duanka.engine.sql.rollup_sql import TYPES, rollup_sql

_MAX_GROUPED_SHARE = 0.7  # rows after grouping per record; above this share, grouping does not pay
_RETRY_AFTER_BATCHES = 50  # batches after which grouping is tried again


class AdaptiveAggregation:
    """Chooses whether to group one rollup, by the reduction measured last."""

    def __init__(self, rollup: Rollup) -> None:
        self._rollup = rollup
        self._grouped = True
        self._batches = 0

    def select(self, sources: Collection[str]) -> str:
        """The SELECT of the partial rollup over `sources`, the tables in the batch."""
        self._batches += 1
        if self._grouped or self._batches % _RETRY_AFTER_BATCHES == 0:
            self._grouped = True
            return rollup_sql(self._rollup, sources)
        parts = [by_row_sql(self._rollup, part) for part in self._rollup.parts if part.source in sources]
        return " UNION ALL ".join(parts)

    def learn(self, records: int, rows: int) -> None:
        """Record that `records` became `rows` partial rows."""
        if self._grouped and records:
            self._grouped = rows <= _MAX_GROUPED_SHARE * records


def by_row_sql(rollup: Rollup, part: RollupSource) -> str:
    """The SELECT of a partial rollup of one source with one row a record."""
    values = []
    for aggregate in rollup.aggregates:
        value = part.values.get(aggregate.name)
        nothing = "0" if aggregate.how is MergeOperation.SUM else "NULL"
        kind = TYPES[aggregate.how]
        if value is None:
            said = nothing
        elif value.condition:
            said = f"CASE WHEN {value.condition} THEN {value.expression} ELSE {nothing} END"
        else:
            said = value.expression
        if value is not None and aggregate.how is MergeOperation.SUM:
            said = f"coalesce({said}, 0)"
        values.append(f"CAST({said} AS {kind}) AS {aggregate.name}")
    keys = [f"{part.keys[key]} AS {key}" for key in rollup.keys]
    where = f" WHERE {part.rows}" if part.rows else ""
    return f"SELECT {', '.join([*keys, *values])} FROM {part.source}{where}"
