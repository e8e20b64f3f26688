"""SQL for a rollup from its declaration: one aggregation per source, then one that merges the partial rollups."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from duanka.domain.rollups import Aggregate, How, Part, Rollup

TYPES = {How.SUM: "BIGINT", How.MIN: "TIMESTAMP", How.MAX: "TIMESTAMP"}


def _partial(aggregate: Aggregate, part: Part) -> str:
    """One aggregate of one part; a source that says nothing adds 0 to a sum and nothing to an extreme."""
    value = part.values.get(aggregate.name)
    if value is None:
        nothing = "0" if aggregate.how is How.SUM else "NULL"
        return f"CAST({nothing} AS {TYPES[aggregate.how]}) AS {aggregate.name}"
    counted = "count(*)" if value.expression == "1" else f"{aggregate.how}({value.expression})"
    if value.condition:
        counted += f" FILTER (WHERE {value.condition})"
    if aggregate.how is How.SUM and value.expression != "1":
        counted = f"CAST(coalesce({counted}, 0) AS BIGINT)"
    return f"{counted} AS {aggregate.name}"


def part_sql(rollup: Rollup, part: Part, narrow: str = "") -> str:
    """The partial rollup of one source; `narrow` is a condition over keys that are plain columns of it."""
    keys = [f"{part.keys[key]} AS {key}" for key in rollup.keys]
    columns = ", ".join(keys + [_partial(a, part) for a in rollup.aggregates])
    conditions = [c for c in (part.rows, narrow) if c]
    where = f" WHERE {' AND '.join(f'({c})' for c in conditions)}" if conditions else ""
    group = ", ".join(part.keys[key] for key in rollup.keys)
    return f"SELECT {columns} FROM {part.source}{where} GROUP BY {group}"


def merge_sql(rollup: Rollup, partials: Sequence[str]) -> str:
    """Merge partial rollups, given as statements, into one."""
    if len(partials) == 1:
        return partials[0]
    merged = ", ".join(f"{a.how}({a.name}) AS {a.name}" for a in rollup.aggregates)
    keys = ", ".join(rollup.keys)
    together = " UNION ALL ".join(partials)
    return f"SELECT {keys}, {merged} FROM ({together}) GROUP BY {keys}"


def rollup_sql(rollup: Rollup, sources: Collection[str], narrow: str = "") -> str:
    """The whole rollup over those `sources` that the data has (names of raw tables and built rollups)."""
    parts = [part_sql(rollup, part, narrow) for part in rollup.parts if part.source in sources]
    return merge_sql(rollup, parts or [part_sql(rollup, part, "FALSE") for part in rollup.parts])
