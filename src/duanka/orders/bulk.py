"""Statements over many rows: put them in, put them in or over, and go through them in parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, TypeDecorator, insert

Item = TypeVar("Item")
_MANY = 50  # from here on COPY pays


def put_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert `rows`, which all have the same keys; part of the transaction of `connection`.

    Many rows go to the driver as they are: on PostgreSQL by COPY, which takes a third of the work of as many
    statements; on SQLite without a dictionary and a look-up for each value.
    """
    if not rows:
        return
    if len(rows) < _MANY:
        connection.execute(insert(table), list(rows))
        return
    names = list(rows[0])
    kinds = [table.c[name].type for name in names]
    binds = [kind.process_bind_param if isinstance(kind, TypeDecorator) else None for kind in kinds]
    dialect, columns = connection.dialect, ", ".join(f'"{name}"' for name in names)
    values = (
        tuple(
            [bind(row[name], dialect) if bind else row[name] for name, bind in zip(names, binds, strict=True)]
        )
        for row in rows
    )
    if dialect.name != "postgresql":
        marks = ", ".join("?" * len(names))
        connection.exec_driver_sql(f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})', list(values))
        return
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101  # the connection is open
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({columns}) FROM STDIN') as copy:
        for row in values:
            copy.write_row(row)


def upsert(connection: Connection, table: Table) -> Any:
    """An INSERT into `table` that can say what to do `on_conflict_...`: each database has its own, with one form."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as into  # noqa: PLC0415  # only where it is used

        return into(table)
    from sqlalchemy.dialects.sqlite import insert as lite_into  # noqa: PLC0415

    return lite_into(table)


def in_parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """`items` in their order, at most `size` at a time."""
    for at in range(0, len(items), size):
        yield items[at : at + size]
