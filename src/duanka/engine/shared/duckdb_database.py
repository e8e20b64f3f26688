"""DuckDB helpers: open, run statements, types of the canonical tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from duanka.domain.errors import MAKE_ROOM, DuankaError
from duanka.domain.record_keys import key_of
from duanka.domain.schema import Column, ColumnKind, Table

Rows = list[tuple[Any, ...]]

TYPES = {
    ColumnKind.TIME: "TIMESTAMP",
    ColumnKind.DAY: "DATE",
    ColumnKind.COUNT: "BIGINT",
    ColumnKind.FLAG: "BOOLEAN",
}
ARROW = {
    ColumnKind.TIME: pa.timestamp("us"),
    ColumnKind.DAY: pa.date32(),
    ColumnKind.COUNT: pa.int64(),
    ColumnKind.FLAG: pa.bool_(),
}


def sql_type(column: Column) -> str:
    """The type of a canonical column; a keyed one holds record keys."""
    return "BIGINT" if column.keyed else TYPES.get(column.kind, "VARCHAR")


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a canonical table or list, with record keys in the keyed columns."""
    return pa.schema(
        [(c.name, pa.int64() if c.keyed else ARROW.get(c.kind, pa.string())) for c in table.columns]
    )


def arrow_rows(table: Table, rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """`rows` of texts as Arrow with every column of `table`; missing values are null."""
    columns = {c.name: [_value(c, row.get(c.name)) for row in rows] for c in table.columns}
    return pa.table(columns, schema=arrow_schema(table))


def _value(column: Column, value: object) -> object:
    return key_of(value, device=column.device) if column.keyed and isinstance(value, str) else value


def hashed_texts(table: Table, rows: Sequence[Mapping[str, object]]) -> dict[int, str]:
    """The texts behind the hashed record keys of `rows`."""
    texts = ((c, row.get(c.name)) for c in table.columns if c.keyed for row in rows)
    keys = {_value(column, text): text for column, text in texts if isinstance(text, str)}
    return {key: text for key, text in keys.items() if isinstance(key, int) and key < 0}


def pass_rows(passes: Mapping[str, datetime]) -> pa.Table:
    """`passes` (card -> local time of the last pass) as Arrow: card (a record key), passed_at."""
    schema = pa.schema([("card", pa.int64()), ("passed_at", pa.timestamp("us"))])
    return pa.table([list(map(key_of, passes)), list(passes.values())], schema=schema)


def opened(work: Path, memory: str, threads: int | None) -> duckdb.DuckDBPyConnection:
    """Open a database in memory that spills to `work` beyond `memory` ("700MB")."""
    work.mkdir(parents=True, exist_ok=True)
    db = duckdb.connect(":memory:")
    bound(db, work, memory, threads)
    return db


def bound(db: duckdb.DuckDBPyConnection, work: Path, memory: str, threads: int | None) -> None:
    """Limit a database to `memory` and `threads` (None: all cores); spill to `work`."""
    settings = {
        "memory_limit": memory,
        "temp_directory": str(work / "spill"),
        "preserve_insertion_order": "false",
        **({"threads": str(threads)} if threads else {}),
    }
    for name, value in settings.items():
        run(db, f"SET {name} = {quoted(value)}")


def write_parquet(run_it: Callable[[str], Rows], select: str, path: Path) -> None:
    """Write the result of `select` to `path`, atomically."""
    unfinished = path.with_suffix(".unfinished")
    run_it(f"COPY ({select}) TO {quoted(str(unfinished))} (FORMAT parquet, COMPRESSION zstd)")
    unfinished.replace(path)


def register(db: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    """Create the table `name` from `rows`."""
    with lent(db, f"{name}_rows", rows):
        run(db, f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM {name}_rows")


@contextmanager
def lent(db: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> Iterator[None]:
    """Let SQL read `rows` as `name`.

    After an error the name stays registered: within a failed transaction it cannot be removed.
    """
    db.register(name, rows)
    yield
    db.unregister(name)


def run(db: duckdb.DuckDBPyConnection, sql: str) -> Rows:
    """Run `sql` and return all rows."""
    with plainly():
        return db.execute(sql).fetchall()


def arrow(db: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """Run a SELECT and return its rows as Arrow."""
    with plainly():
        found = db.sql(sql)
        if found is None:  # not a SELECT
            raise ValueError(sql)
        return found.to_arrow_table()


_NO_ROOM = ("no space left", "file too large", "quota exceeded")


def parquet(paths: Iterable[Path], *, union: bool = False) -> str:
    """SQL source that reads Parquet files; `union`: by the names of columns, which may differ."""
    files = ", ".join(quoted(str(path)) for path in paths)
    return f"read_parquet([{files}]{', union_by_name = true' if union else ''})"


def quoted(text: str) -> str:
    """`text` as a DuckDB string literal."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def plainly() -> Iterator[None]:
    """Convert DuckDB's errors for Ctrl-C and a full disk to the usual exceptions."""
    try:
        yield
    except duckdb.IOException as error:
        said = str(error).splitlines()[0]
        full = any(one in said.lower() for one in _NO_ROOM)
        raise DuankaError(f"{said}{MAKE_ROOM}" if full else said) from error
    except RuntimeError as error:
        if "interrupted" in str(error).lower():
            raise KeyboardInterrupt from error
        raise
