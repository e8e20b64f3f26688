"""Rewrites of the syntax tree where the same SQL differs between DuckDB and Spark.

Differences that sqlglot already translates (starts_with, FILTER, the order of NULL, intervals) are not repeated here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

_Repairs = Mapping[type[exp.Expr], Callable[[exp.Expr], exp.Expr]]
_SHORT = ("HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND")


def _divided(node: exp.Expr) -> exp.Expr:
    by = node.expression
    if not (isinstance(by, exp.Literal) and by.is_number and float(by.this) != 0):
        node.set("expression", exp.Nullif(this=by.unnest(), expression=exp.Literal.number(0)))
    return node


def _truncated(node: exp.Expr) -> exp.Expr:
    """Cast date_trunc to a time without zone; Spark returns one with a zone."""
    return exp.cast(node, "TIMESTAMPNTZ")


def _moved(node: exp.Expr) -> exp.Expr:
    """Cast a day before hours are added; Sail would return a day and lose the hours."""
    if any(str(i.unit).upper().rstrip("S") in _SHORT for i in node.expression.find_all(exp.Interval)):
        node.set("this", exp.cast(node.this, "TIMESTAMPNTZ"))
    return node


def _grouped(node: exp.Expr) -> exp.Expr:
    """Expand GROUP BY ALL, which not every Spark Connect server supports."""
    group = node.args.get("group")
    if isinstance(node, exp.Select) and group is not None and group.args.get("all"):
        keys = [e.unalias() for e in node.selects if not e.find(exp.AggFunc)]
        node.set("group", exp.Group(expressions=[key.copy() for key in keys]) if keys else None)
    return node


def _ranged(node: exp.Expr) -> exp.Expr:
    """Write a RANGE of days in integers; Sail ignores bounds that are intervals."""
    spec, order = node.args.get("spec"), node.args.get("order")
    if spec is None or order is None or str(spec.args.get("kind")).upper() != "RANGE":
        return node
    for bound in ("start", "end"):
        interval = spec.args.get(bound)
        if isinstance(interval, exp.Interval) and str(interval.unit).upper().rstrip("S") == "DAY":
            spec.set(bound, exp.Literal.number(interval.this.name))
            key = order.expressions[0]
            since = exp.cast(exp.Literal.string("1970-01-01"), "DATE")
            key.set("this", exp.DateDiff(this=key.this.copy(), expression=since))
    return node


_REPAIRS: _Repairs = {
    exp.TimestampTrunc: _truncated,
    exp.DateTrunc: _truncated,
    exp.Add: _moved,
    exp.Sub: _moved,
    exp.Select: _grouped,
    exp.Window: _ranged,
}


_DIVISIONS: _Repairs = {exp.Div: _divided, exp.IntDiv: _divided, exp.Mod: _divided}


def without_zero(tree: exp.Expr) -> exp.Expr:
    """`tree` with NULL for division by zero (DuckDB: infinity or error; Spark: error)."""
    return _repaired(tree, _DIVISIONS)


def repaired(tree: exp.Expr) -> exp.Expr:
    """`tree`, parsed as DuckDB, rewritten to mean the same when written as Spark."""
    return _repaired(tree, _REPAIRS)


def _repaired(tree: exp.Expr, repairs: _Repairs) -> exp.Expr:
    for node in list(tree.walk(bfs=False))[::-1]:  # leaves first, so that no replaced node is visited again
        repair = repairs.get(type(node))
        if repair is None:
            continue
        changed = repair(node.copy() if repair is _truncated else node)
        if changed is not node:
            if node is tree:
                tree = changed
            else:
                node.replace(changed)
    return tree


def without_rounding(query: exp.Query) -> dict[str, str]:
    """Remove rounding from the result columns of `query`; return it as column -> SQL.

    DuckDB runs this SQL for both engines, since they round differently: the binary value of 0.0375 is
    slightly smaller, and DuckDB rounds it to 0.037, Spark to 0.038.
    """
    afterwards = {}
    for column in query.selects:
        value = inner = column.unalias()
        while isinstance(inner, exp.Round | exp.Cast):
            inner = inner.this
        if value.find(exp.Round) is None or inner is value:
            continue
        name = column.alias_or_name
        inner.replace(exp.column(name))
        afterwards[name] = column.unalias().sql("duckdb")
        column.replace(exp.alias_(inner, name))
    return afterwards
