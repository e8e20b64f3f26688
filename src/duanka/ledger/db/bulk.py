"""Statements over many rows: insert, upsert, update, iterate in parts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    CursorResult,
    Dialect,
    Integer,
    String,
    Table,
    Text,
    TypeDecorator,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.types import TypeEngine

from duanka.ledger.db import columns as kept
from duanka.ledger.db.columns import DoesNotFit

Item = TypeVar("Item")
_VALUES_PER_IN = 400  # below SQLite's limit
_COPY_FROM_ROWS = 50  # from this many rows on, the driver (COPY) is faster
_ARRAYS = {String: "text", Text: "text", Integer: "integer", BigInteger: "bigint"}


def put_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert `rows`, all with the same keys, in the transaction of `connection`.

    Many rows go directly to the driver: on PostgreSQL by COPY, a third of the cost of single statements; on SQLite
    without a dictionary look-up per value.
    """
    if not rows:
        return
    if len(rows) < _COPY_FROM_ROWS:
        connection.execute(insert(table), list(rows))
        return
    names = list(rows[0])
    columns = _listed(names)
    values = _driver_values(connection, table, names, rows)
    if connection.dialect.name != "postgresql":
        insertion = f'INSERT INTO "{table.name}" ({columns}) VALUES ({_marks(names)})'
        connection.exec_driver_sql(insertion, values)
        return
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101  # the connection is open
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({columns}) FROM STDIN') as copy:
        for row in values:
            copy.write_row(row)


def upsert_rows(connection: Connection, table: Table, key: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert or update `rows`, all with the same keys, in one statement."""
    if not rows:
        return
    names = list(rows[0])
    values = _driver_values(connection, table, names, rows)
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name != key)
    conflict = f'ON CONFLICT ("{key}") DO UPDATE SET {changes}'
    into = f'INSERT INTO "{table.name}" ({_listed(names)})'
    if connection.dialect.name == "postgresql":
        arrays = tuple([list(column) for column in zip(*values, strict=True)])
        connection.exec_driver_sql(f"{into} SELECT * FROM {_unnest(table, names)} {conflict}", arrays)
    else:
        connection.exec_driver_sql(f"{into} VALUES ({_marks(names)}) {conflict}", values)


def add_to_counts(
    connection: Connection, table: Table, names: Sequence[str], counts: Mapping[Any, int]
) -> None:
    """Add to column `count` of rows, created where missing. `counts`: by the values of `names`, a tuple each."""
    rows = [
        {**dict(zip(names, key, strict=True)), "count": count}
        # in a fixed order, to avoid deadlocks
        for key, count in sorted(counts.items(), key=lambda one: tuple(map(str, one[0])))
        if count
    ]
    if not rows:
        return
    add = upsert(connection, table)
    more = {"count": table.c.count + add.excluded.count}
    connection.execute(add.on_conflict_do_update(index_elements=list(names), set_=more), rows)


def update_rows(
    connection: Connection, table: Table, key: str, names: Sequence[str], rows: Sequence[Mapping[str, object]]
) -> None:
    """Update columns `names` of existing rows by `key`; one statement on PostgreSQL."""
    if not rows or not names:
        return
    values = _driver_values(connection, table, [*names, key], rows)
    if connection.dialect.name == "postgresql":
        changes = ", ".join(f'"{name}" = new."{name}"' for name in names)
        arrays = tuple([list(column) for column in zip(*values, strict=True)])
        new = f"{_unnest(table, [*names, key])} AS new ({_listed([*names, key])})"
        connection.exec_driver_sql(
            f'UPDATE "{table.name}" SET {changes} FROM {new} WHERE "{table.name}"."{key}" = new."{key}"',
            arrays,
        )
    else:
        changes = ", ".join(f'"{name}" = ?' for name in names)
        connection.exec_driver_sql(f'UPDATE "{table.name}" SET {changes} WHERE "{key}" = ?', values)


def among(
    connection: Connection, column: ColumnElement[Any], values: Iterable[object]
) -> ColumnElement[bool]:
    """Return the condition that `column`, of texts or numbers, equals one of `values`.

    They are bound as one array, so that PostgreSQL parses the statement once for any number of values.
    """
    kind, plain, fitting = column.type, _plain_type(column.type), list(values)
    if not (isinstance(kind, kept.String | kept.Text) and kind.all_fit(fitting)):
        fitting = [value for value in fitting if _fits(connection, column, value)]
    if connection.dialect.name != "postgresql":
        each = func.json_each(literal(json.dumps(fitting), Text())).table_valued("value")
        return column.in_(select(each.c.value))
    return column == func.any(literal(fitting, ARRAY(Text() if isinstance(plain, String) else plain)))


def dictionaries(result: CursorResult[Any]) -> list[dict[str, Any]]:
    """Return rows as dictionaries: look-ups take a third of the time of mappings."""
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result]


def _fits(connection: Connection, column: ColumnElement[Any], value: object) -> bool:
    """Whether the column can hold the value; if not (zero byte), no row equals it."""
    if isinstance(column.type, TypeDecorator):
        try:
            column.type.process_bind_param(value, connection.dialect)
        except DoesNotFit:
            return False
    return True


def _driver_values(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Mapping[str, object]]
) -> list[tuple[object, ...]]:
    """Convert rows to values for the driver."""
    dialect, kinds = connection.dialect, [table.c[name].type for name in names]
    columns: Iterable[Sequence[object]] = (
        _bound(kind, [row[name] for row in rows], dialect) for name, kind in zip(names, kinds, strict=True)
    )
    return list(zip(*columns, strict=True))


def _bound(kind: TypeEngine[Any], values: Sequence[Any], dialect: Dialect) -> Sequence[object]:
    """Convert a column to driver values; each distinct value at most once."""
    if not isinstance(kind, TypeDecorator) or (
        isinstance(kind, kept.String | kept.Text) and kind.all_fit(values)
    ):
        return values
    different = set(values)
    if len(different) == len(values):
        return [kind.process_bind_param(value, dialect) for value in values]
    bound = {value: kind.process_bind_param(value, dialect) for value in different}
    return [bound[value] for value in values]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _marks(names: Sequence[str]) -> str:
    return ", ".join("?" * len(names))


def _unnest(table: Table, names: Sequence[str]) -> str:
    """FROM clause of PostgreSQL: the rows of one array per column, in order."""
    kinds = (_ARRAYS[type(_plain_type(table.c[name].type))] for name in names)
    return f"unnest({', '.join(f'%s::{kind}[]' for kind in kinds)})"


def _plain_type(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


def upsert(connection: Connection, table: Table) -> Any:
    """INSERT with `on_conflict_...`, which each dialect has in the same form."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as into  # noqa: PLC0415  # imported only on PostgreSQL

        return into(table)
    from sqlalchemy.dialects.sqlite import insert as lite_into  # noqa: PLC0415

    return lite_into(table)


def in_parts(items: Sequence[Item], size: int = _VALUES_PER_IN) -> Iterator[Sequence[Item]]:
    """Split `items` into parts of at most `size`; default: what one IN clause may hold."""
    for at in range(0, len(items), size):
        yield items[at : at + size]
