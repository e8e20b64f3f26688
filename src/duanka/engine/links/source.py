"""A store opened for links: its registers and partial rollups as views of a database of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from duanka.domain.errors import MAKE_ROOM, DuankaError
from duanka.domain.rollups import ROLLUPS
from duanka.domain.schema import TABLES
from duanka.engine.shared import key_texts
from duanka.engine.shared.duckdb_database import (
    Rows,
    arrow,
    opened,
    parquet,
    quoted,
    run,
    sql_type,
)
from duanka.engine.store.columns import whole_register
from duanka.engine.store.life import counting_days
from duanka.engine.store.manifest import FileKind, Manifest, damaged, read_manifest

REGISTERS = tuple(name for name, table in TABLES.items() if not table.record)
_KEY_TYPES = {
    "card": "BIGINT",
    "peer": "BIGINT",
    "imei": "BIGINT",
    "cell": "BIGINT",
    "city": "VARCHAR",
    "day": "DATE",
}

_FULL = "max_temp_directory_size"  # by default as much as the disk has room for
_NO_SIGHTINGS = (
    "(SELECT NULL::BIGINT AS card, NULL::TIMESTAMP AS seen_at, NULL::BIGINT AS cell, '' AS city LIMIT 0)"
)


class LinkSource:
    """The store in `folder`, read once; `work`: for spill files. `memory`, `threads`: of its DuckDB.

    Views: each register by its name; `card_devices` and `card_life` of all days; `card_days`, `card_peers` and
    `card_places` as partial rollups, so their aggregates are to be merged. DuankaError: no store, damaged, another
    version; UnreadableInput: it holds no records.
    """

    def __init__(self, folder: Path, work: Path, *, memory: str, threads: int | None = None) -> None:
        self.folder = folder
        self.manifest: Manifest = read_manifest(folder)
        self.days: Sequence[date] = sorted(counting_days(self.manifest.days))
        self._by_day = self._of_days()
        self._db, self._work, self._files = opened(work, memory, threads), work, dict[str, list[Path]]()
        with self.reading():
            self._see()

    def close(self) -> None:
        """Release memory and delete the spill files."""
        self._db.close()

    def run(self, sql: str) -> Rows:
        """Run a statement and return its rows."""
        with self.reading():
            return run(self._db, sql)

    def arrow(self, sql: str) -> pa.Table:
        """Run a SELECT and return its rows; if memory runs out, once more on one thread, which needs less."""
        with self.reading():
            try:
                return arrow(self._db, sql)
            except duckdb.OutOfMemoryException:
                self.run("SET threads = 1")
                return arrow(self._db, sql)

    def add(self, name: str, sql: str) -> None:
        """Write the rows of a SELECT to a file of the view `name`, which reads all that were added."""
        files = self._files.setdefault(name, [])
        files.append(self._work / f"{name}-{len(files)}.parquet")
        self.run(f"COPY ({sql}) TO {quoted(str(files[-1]))} (FORMAT parquet)")
        self.run(f"CREATE OR REPLACE TEMP VIEW {name} AS FROM {parquet(files)}")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Name the store in errors of files that are missing or damaged, and the folder that has no room."""
        try:
            yield
        except duckdb.IOException as error:
            raise damaged(self.folder, str(error).splitlines()[0]) from error
        except duckdb.OutOfMemoryException as error:
            if _FULL in str(error):
                raise DuankaError(f"no room for working files in {self._work}{MAKE_ROOM}") from error
            raise DuankaError(
                "the graph does not fit into the memory allowed; give it more with DUANKA_MEMORY, for example 2GB"
            ) from error

    def _see(self) -> None:
        for name in REGISTERS:
            files = [self.folder / path for path in self.manifest.paths(FileKind.REGISTERS, name)]
            select = f"FROM {whole_register(name, parquet(files))}" if files else _empty_register(name)
            run(self._db, f"CREATE VIEW {name} AS {select}")
        for name in ("card_devices", "card_life"):
            self._view(name, self.manifest.paths(FileKind.LIFE, name), _empty_rollup(name))
        for name in ("card_days", "card_peers", "card_places"):
            paths = [path for day in self.days for path in self._by_day.get((name, day), ())]
            self._view(name, paths, _empty_rollup(name))
        self._view(
            "hits", self.manifest.paths(FileKind.HITS), "SELECT NULL::BIGINT AS card, NULL AS rule LIMIT 0"
        )
        self._view(
            "texts", self.manifest.paths(FileKind.TEXTS), "SELECT NULL::BIGINT AS key, NULL AS text LIMIT 0"
        )
        key_texts.create(lambda sql: run(self._db, sql), "texts")

    def _view(self, name: str, paths: Sequence[str], empty: str) -> None:
        select = f"FROM {parquet(self.folder / path for path in paths)}" if paths else empty
        run(self._db, f"CREATE VIEW {name} AS {select}")

    def files_of(self, name: str, day: date) -> list[Path]:
        """Files of one day of a rollup or a table of records, in order of their age."""
        return [self.folder / path for path in self._by_day.get((name, day), ())]

    def places_of(self, day: date) -> str:
        """SQL source of the partial card_places of one day."""
        paths = self.files_of("card_places", day)
        return parquet(paths) if paths else "(FROM card_places LIMIT 0)"

    def sightings_of(self, day: date) -> str:
        """SQL source of the sightings of one day, as far as the store holds them."""
        paths = self.files_of("sightings", day)
        return parquet(paths) if paths else _NO_SIGHTINGS

    def _of_days(self) -> dict[tuple[str, date], list[str]]:
        """Name and day -> paths of the partial rollups and records of the days that count."""
        found = dict[tuple[str, date], list[str]]()
        counting = set(self.days)
        for kind in (FileKind.ROLLUPS, FileKind.RECORDS):
            for name in {file.name for file in self.manifest.files.values() if file.kind is kind}:
                for path in self.manifest.paths(kind, name):
                    day = self.manifest.files[path].day
                    if day in counting:
                        found.setdefault((name, day), []).append(path)
        return found


def _empty_register(name: str) -> str:
    columns = ", ".join(f"NULL::{sql_type(column)} AS {column.name}" for column in TABLES[name].columns)
    return f"SELECT {columns} LIMIT 0"


def _empty_rollup(name: str) -> str:
    def kind(column: str) -> Any:
        return _KEY_TYPES.get(column) or ("TIMESTAMP" if column.startswith(("first", "last")) else "BIGINT")

    return f"SELECT {', '.join(f'NULL::{kind(c)} AS {c}' for c in ROLLUPS[name].columns)} LIMIT 0"
