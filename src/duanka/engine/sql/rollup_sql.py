"""SQL for a rollup from its declaration: one aggregation per source, then one that merges the partial rollups."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from duanka.domain.rollups import ROLLUPS, Aggregate, MergeOperation, Rollup, RollupSource
from duanka.domain.rule import Rule
from duanka.engine.sql.render import columns, tables


def rollups_for(rules: Sequence[Rule]) -> list[Rollup]:
    """The rollups that `rules` read, in the order to build them, each with the aggregates that are read of it."""
    texts = [text for rule in rules for text in (rule.sql, rule.unsure) if text]
    texts += [f"SELECT 1 WHERE {text}" for rule in rules for text in rule.narrow.values()]
    reads = [(tables(text), columns(text)) for text in texts]
    wanted: list[Rollup] = []
    for rollup in reversed(ROLLUPS.values()):  # what is built from a rollup comes after it
        mentioned = [names for sources, names in reads if rollup.name in sources]
        if mentioned:
            lean = rollup.only(frozenset().union(*mentioned))
            kept = [a.name for a in lean.aggregates]
            reads += [
                (frozenset({p.source}), frozenset(p.values[k].expression for k in kept if k in p.values))
                for p in lean.parts
            ]
            wanted.insert(0, lean)
    return wanted


TYPES = {MergeOperation.SUM: "BIGINT", MergeOperation.MIN: "TIMESTAMP", MergeOperation.MAX: "TIMESTAMP"}


def _partial(aggregate: Aggregate, part: RollupSource) -> str:
    """One aggregate of one part; a source that says nothing adds 0 to a sum and nothing to an extreme."""
    value = part.values.get(aggregate.name)
    if value is None:
        nothing = "0" if aggregate.how is MergeOperation.SUM else "NULL"
        return f"CAST({nothing} AS {TYPES[aggregate.how]}) AS {aggregate.name}"
    counted = "count(*)" if value.expression == "1" else f"{aggregate.how}({value.expression})"
    if value.condition:
        counted += f" FILTER (WHERE {value.condition})"
    if aggregate.how is MergeOperation.SUM and value.expression != "1":
        counted = f"CAST(coalesce({counted}, 0) AS BIGINT)"
    return f"{counted} AS {aggregate.name}"


def part_sql(rollup: Rollup, part: RollupSource, narrow: str = "") -> str:
    """The partial rollup of one source; `narrow` is a condition over the rollup's keys."""
    given = ", ".join([*rollup.keys, *(_partial(a, part) for a in rollup.aggregates)])
    computed = [f"{expression} AS {key}" for key, expression in part.keys.items() if expression != key]
    source = f"(SELECT *, {', '.join(computed)} FROM {part.source})" if computed else part.source
    conditions = " AND ".join(f"({c})" for c in (part.rows, narrow) if c)
    where = f" WHERE {conditions}" if conditions else ""
    return f"SELECT {given} FROM {source}{where} GROUP BY {', '.join(rollup.keys)}"


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
