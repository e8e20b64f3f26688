"""SQL by its syntax tree: values put in, dialects translated, names that a statement mentions.

`render.py` asks this module for what was not compiled before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from functools import lru_cache

import sqlglot
from sqlglot import exp

from duanka.domain.errors import RuleError
from duanka.engine.sql.spark_dialect import repaired, without_rounding, without_zero
from duanka.engine.sql.values import Dialect, Value


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
    dialect: Dialect,
    *,
    pretty: bool,
    left: Collection[str],
    renamed: Mapping[str, str],
) -> str:
    """Return `sql` filled and translated; see `render.render`."""
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
        if isinstance(node, exp.Literal) and any(f"${name}" in node.this for name in left):
            raise RuleError(
                f"SQL holds a parameter within the text {node.this!r}, where it stands for nothing"
            )
        if isinstance(node, exp.Table) and node.name in renamed:
            return exp.to_table(renamed[node.name], alias=node.alias or node.name)
        return node

    filled = without_zero(tree.transform(fill))
    written = repaired(filled) if dialect == "spark" else filled
    return written.sql(dialect=dialect, pretty=pretty, copy=False)  # it is a copy of the cached tree already


def split_rounding(sql: str) -> tuple[str, dict[str, str]]:
    """`sql` for Spark without rounding, and the rounding; see `render.split_rounding`."""
    query = sqlglot.parse_one(sql, read="duckdb")
    if not isinstance(query, exp.Query):
        raise RuleError("SQL must be one SELECT")
    afterwards = without_rounding(query)
    return repaired(query).sql(dialect="spark", copy=False), afterwards


def _output_columns(sql: str) -> list[str]:
    tree = _tree(sql)
    if not isinstance(tree, exp.Query):
        raise RuleError("SQL must be one SELECT")
    return list(tree.named_selects)


def _columns(sql: str) -> list[str]:
    return sorted({node.name for node in _tree(sql).find_all(exp.Column)})


def _parameters(sql: str) -> list[str]:
    return sorted({node.name for node in _tree(sql).find_all(exp.Parameter, exp.Placeholder)})


def _tables(sql: str) -> list[str]:
    tree = _tree(sql)
    steps = {cte.alias for cte in tree.find_all(exp.CTE)}
    return sorted({t.name for t in tree.find_all(exp.Table)} - steps)


def _alternatives(sql: str) -> list[str]:
    where = _tree(sql).args["where"].this
    found: list[str] = []
    for one in where.flatten() if isinstance(where, exp.Or) else [where]:
        query = one.args.get("query") if isinstance(one, exp.In) else None
        found += [one.this.sql("duckdb"), query.unnest().sql("duckdb")] if query else ["", one.sql("duckdb")]
    return found


NAMES: Mapping[str, Callable[[str], list[str]]] = {
    "alternatives": _alternatives,
    "output_columns": _output_columns,
    "columns": _columns,
    "parameters": _parameters,
    "tables": _tables,
}
"""What a statement mentions; each is explained in `render.py`."""
