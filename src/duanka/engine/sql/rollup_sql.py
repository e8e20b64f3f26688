"""SQL of a rollup: one aggregation a source, then a merge of the partial rollups."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from duanka.domain.rollups import ROLLUPS, Aggregate, MergeOperation, Rollup, RollupSource
from duanka.domain.rule import Rule
from duanka.domain.schema import KEYED
from duanka.engine.sql.render import columns, tables

Mention = tuple[frozenset[str], frozenset[str]]  # tables and columns that a statement names


def mentions(*statements: str) -> tuple[Mention, ...]:
    """Tables and columns that each of `statements` names; an empty one is left out."""
    return tuple((tables(text), columns(text)) for text in statements if text)


def as_statements(conditions: Iterable[str]) -> tuple[str, ...]:
    """`conditions`, such as a rule's `narrow`, as statements that name the same tables and columns."""
    return tuple(f"SELECT 1 WHERE {text}" for text in conditions)


def lean(rollup: Rollup, reads: Iterable[Mention]) -> Rollup | None:
    """`rollup` reduced to the aggregates that `reads` name; None if they do not name it."""
    named = [columns for sources, columns in reads if rollup.name in sources]
    return rollup.only(frozenset().union(*named)) if named else None


def rollups_for(rules: Sequence[Rule]) -> list[Rollup]:
    """Rollups that `rules` read, in build order, reduced to the aggregates they read."""
    reads = [
        one for rule in rules for one in mentions(rule.sql, rule.unsure, *as_statements(rule.narrow.values()))
    ]
    wanted: list[Rollup] = []
    for rollup in reversed(ROLLUPS.values()):  # a rollup built from another comes after it in ROLLUPS
        if found := lean(rollup, reads):
            kept = [a.name for a in found.aggregates]
            reads += [
                (frozenset({p.source}), frozenset(p.values[k].expression for k in kept if k in p.values))
                for p in found.parts
            ]
            wanted.insert(0, found)
    return wanted


TYPES = {MergeOperation.SUM: "BIGINT", MergeOperation.MIN: "TIMESTAMP", MergeOperation.MAX: "TIMESTAMP"}

_KEY_TYPES = {"day": "DATE", "hour": "TIMESTAMP"}


def key_type(key: str) -> str:
    """SQL type of a key of a rollup."""
    return "BIGINT" if key in KEYED else _KEY_TYPES.get(key, "VARCHAR")


def _partial(aggregate: Aggregate, part: RollupSource) -> str:
    """One aggregate of one source; without a value it gives 0 for a sum, else NULL."""
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
    """SELECT of one source's partial rollup; `narrow`: condition on the rollup's keys."""
    given = ", ".join([*rollup.keys, *(_partial(a, part) for a in rollup.aggregates)])
    computed = [f"{expression} AS {key}" for key, expression in part.keys.items() if expression != key]
    source = f"(SELECT *, {', '.join(computed)} FROM {part.source})" if computed else part.source
    conditions = " AND ".join(f"({c})" for c in (part.rows, narrow) if c)
    where = f" WHERE {conditions}" if conditions else ""
    return f"SELECT {given} FROM {source}{where} GROUP BY {', '.join(rollup.keys)}"


def merge_sql(rollup: Rollup, partials: Sequence[str]) -> str:
    """SELECT that merges partial rollups, given as statements."""
    if len(partials) == 1:
        return partials[0]
    merged = ", ".join(f"{a.how}({a.name}) AS {a.name}" for a in rollup.aggregates)
    keys = ", ".join(rollup.keys)
    together = " UNION ALL ".join(partials)
    return f"SELECT {keys}, {merged} FROM ({together}) GROUP BY {keys}"


def merged_rows(rollup: Rollup, source: str, where: str = "") -> str:
    """SELECT that merges the partial rows in `source` by their keys, in the types of the rollup."""
    values = [f"CAST({a.how}({a.name}) AS {TYPES[a.how]}) AS {a.name}" for a in rollup.aggregates]
    keys = ", ".join(rollup.keys)
    condition = f" WHERE {where}" if where else ""
    return f"SELECT {', '.join([*rollup.keys, *values])} FROM {source}{condition} GROUP BY {keys}"


def rollup_sql(rollup: Rollup, sources: Collection[str], narrow: str = "") -> str:
    """SELECT of the whole rollup over the available `sources` (tables and rollups)."""
    parts = [part_sql(rollup, part, narrow) for part in rollup.parts if part.source in sources]
    return merge_sql(rollup, parts or [part_sql(rollup, part, "FALSE") for part in rollup.parts])
