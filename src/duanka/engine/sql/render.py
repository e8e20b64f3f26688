"""Renders a rule's SQL: fills in limits and writes it in the engine's dialect.

Rules are written once, in DuckDB's dialect, with `$name` for a limit or for one of three points in time:
`$as_of` (now), `$records_from` and `$records_until` (between these two an absence of use is certain).
Literals are inserted into the syntax tree, never by pasting text, so both engines run the same statement. Only the
three points in time, which are new each night, are put into a text that was compiled before.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType

from duanka.engine.sql.compiled import COMPILED
from duanka.engine.sql.values import Dialect, Value

MOMENTS = ("as_of", "records_from", "records_until")
_MOMENT = re.compile(rf"\$({'|'.join(MOMENTS)})\b")
_AS_THEY_ARE: Mapping[str, str] = MappingProxyType({})


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

    def compiled(given: Mapping[str, Value], left: Collection[str]) -> str:
        from duanka.engine.sql import syntax  # noqa: PLC0415  # dear to import, and seldom needed

        return syntax.render(sql, given, dialect, pretty=pretty, left=left, renamed=renamed)

    if dialect == "spark" or pretty:  # names files of this run; or is for people
        return compiled(values, left)
    moments = {n: v for n, v in values.items() if n in MOMENTS and n not in left and isinstance(v, datetime)}
    fixed = {name: value for name, value in values.items() if name not in moments}
    still_open = sorted({*left, *moments})
    asked = (sql, sorted(fixed.items()), still_open, sorted(renamed.items()))
    text = COMPILED.text(asked, lambda: compiled(fixed, still_open))
    return _MOMENT.sub(lambda found: _written(found, moments), text) if moments else text


def _written(found: re.Match[str], moments: Mapping[str, datetime]) -> str:
    moment = moments.get(found[1])
    return f"CAST('{moment.isoformat(sep=' ')}' AS TIMESTAMP)" if moment else found[0]


_CONDITION = "SELECT 1 WHERE "


def condition(
    sql: str,
    values: Mapping[str, Value],
    *,
    left: Collection[str] = (),
    renamed: Mapping[str, str] = _AS_THEY_ARE,
) -> str:
    """Render a bare condition, such as a rule's `narrow`, in DuckDB's dialect."""
    return render(_CONDITION + sql, values, left=left, renamed=renamed)[len(_CONDITION) :]


def any_condition(conditions: Iterable[tuple[str, Mapping[str, Value]]]) -> str:
    """Render bare conditions, each with its values, as the one that holds where any of them holds.

    Those of the form `keys IN (SELECT …)` with the same keys become one: a lookup costs as much as reading a row.
    """
    selects: dict[str, dict[str, None]] = {}
    others = []
    for sql, values in conditions:
        parts = _names("alternatives", _CONDITION + sql)
        for keys, text in zip(parts[::2], parts[1::2], strict=True):
            if keys:
                selects.setdefault(condition(keys, values), {})[render(text, values)] = None
            else:
                others.append(f"({condition(text, values)})")
    lookups = (
        f"{keys} IN (SELECT * FROM (({') UNION ALL ('.join(each)})) AS found)"
        for keys, each in selects.items()
    )
    return " OR ".join([*lookups, *others])


def split_rounding(
    sql: str, values: Mapping[str, Value], *, renamed: Mapping[str, str] = _AS_THEY_ARE
) -> tuple[str, dict[str, str]]:
    """`sql` for Spark without rounding, and by column the rounding as DuckDB SQL.

    `renamed`: as in `render`. Only rounding of result columns is removed, see `without_rounding`.
    """
    from duanka.engine.sql import syntax  # noqa: PLC0415  # only clusters ask

    return syntax.split_rounding(render(sql, values, renamed=renamed))


@lru_cache(1024)
def output_columns(sql: str) -> tuple[str, ...]:
    """Names of the result columns of a statement, in order."""
    return tuple(_names("output_columns", sql))


@lru_cache(1024)
def columns(sql: str) -> frozenset[str]:
    """Names of all columns mentioned anywhere in a statement."""
    return frozenset(_names("columns", sql))


@lru_cache(1024)
def parameters(sql: str) -> frozenset[str]:
    """Names of the `$` parameters of a statement."""
    return frozenset(_names("parameters", sql))


@lru_cache(1024)
def tables(sql: str) -> frozenset[str]:
    """Names of the tables that a statement reads, without its own CTEs."""
    return frozenset(_names("tables", sql))


def _names(what: str, sql: str) -> list[str]:
    def compiled() -> list[str]:
        from duanka.engine.sql import syntax  # noqa: PLC0415  # dear to import, and seldom needed

        return syntax.NAMES[what](sql)

    return COMPILED.names((what, sql), compiled)
