"""Renders a rule's SQL: fills in limits and writes it in the engine's dialect.

Rules are written once, in DuckDB's dialect, with `$name` for a limit or for one of three points in time:
`$as_of` (now), `$records_from` and `$records_until` (between these two an absence of use is certain).
Literals are inserted into the syntax tree, never by pasting text, so both engines run the same statement.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Literal as OneOf

import sqlglot
from sqlglot import exp

from duanka.domain.errors import RuleError
from duanka.engine.sql.spark_dialect import repaired, without_rounding, without_zero

Dialect = OneOf["duckdb", "spark"]
Value = int | float | str | date | datetime
_AS_THEY_ARE: Mapping[str, str] = MappingProxyType({})


@lru_cache(1024)
def _tree(sql: str) -> exp.Expr:
    """The syntax tree of `sql`, cached: do not modify it (`transform` copies)."""
    return sqlglot.parse_one(sql, read="duckdb")


def _literal(value: Value) -> exp.Expression:
    if isinstance(value, datetime):
        moment = exp.DataType.build("TIMESTAMP", dialect="duckdb")  # without a time zone in both dialects
        return exp.cast(exp.Literal.string(value.isoformat(sep=" ")), moment)
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), "DATE")
    if isinstance(value, str):
        return exp.Literal.string(value)
    return exp.Literal.number(value)


def render(
    sql: str,
    values: Mapping[str, Value],
    dialect: Dialect = "duckdb",
    *,
    pretty: bool = False,
    left: Collection[str] = (),
    renamed: Mapping[str, str] = _AS_THEY_ARE,
) -> str:
    """Return `sql` with every `$name` replaced from `values`, written in `dialect`.

    `left`: names that stay parameters, for a statement that runs repeatedly. `renamed`: table -> table read in its
    place. Raises RuleError when the SQL does not parse or a `$name` has no value.
    """
    try:
        tree = _tree(sql)
    except sqlglot.ParseError as error:
        raise RuleError(f"SQL does not parse: {error}") from error

    def fill(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Parameter | exp.Placeholder):
            name = node.name
            if name in left:
                return node
            if name not in values:
                raise RuleError(
                    f"SQL names ${name}, which is no limit and none of $as_of, $records_from, $records_until"
                )
            return _literal(values[name])
        if isinstance(node, exp.Table) and node.name in renamed:
            return exp.to_table(renamed[node.name], alias=node.alias or node.name)
        return node

    filled = without_zero(tree.transform(fill))
    written = repaired(filled) if dialect == "spark" else filled
    return written.sql(dialect=dialect, pretty=pretty, copy=False)  # it is a copy of the cached tree already


def condition(
    sql: str,
    values: Mapping[str, Value],
    *,
    left: Collection[str] = (),
    renamed: Mapping[str, str] = _AS_THEY_ARE,
) -> str:
    """Render a bare condition, such as a rule's `narrow`, in DuckDB's dialect."""
    prefix = "SELECT 1 WHERE "
    return render(prefix + sql, values, left=left, renamed=renamed)[len(prefix) :]


def split_rounding(
    sql: str, values: Mapping[str, Value], *, renamed: Mapping[str, str] = _AS_THEY_ARE
) -> tuple[str, dict[str, str]]:
    """`sql` for Spark without rounding, and by column the rounding as DuckDB SQL.

    `renamed`: as in `render`. Only rounding of result columns is removed, see `without_rounding`.
    """
    query = sqlglot.parse_one(render(sql, values, renamed=renamed), read="duckdb")
    if not isinstance(query, exp.Query):
        raise RuleError("SQL must be one SELECT")
    afterwards = without_rounding(query)
    return repaired(query).sql(dialect="spark", copy=False), afterwards


@lru_cache(1024)
def output_columns(sql: str) -> tuple[str, ...]:
    """Names of the result columns of a statement, in order."""
    tree = _tree(sql)
    if not isinstance(tree, exp.Query):
        raise RuleError("SQL must be one SELECT")
    return tuple(tree.named_selects)


@lru_cache(1024)
def columns(sql: str) -> frozenset[str]:
    """Names of all columns mentioned anywhere in a statement."""
    tree = _tree(sql)
    return frozenset(node.name for node in tree.find_all(exp.Column))


@lru_cache(1024)
def parameters(sql: str) -> frozenset[str]:
    """Names of the `$` parameters of a statement."""
    tree = _tree(sql)
    return frozenset(node.name for node in tree.find_all(exp.Parameter, exp.Placeholder))


@lru_cache(1024)
def tables(sql: str) -> frozenset[str]:
    """Names of the tables that a statement reads, without its own CTEs."""
    tree = _tree(sql)
    steps = {cte.alias for cte in tree.find_all(exp.CTE)}
    return frozenset(t.name for t in tree.find_all(exp.Table)) - steps
