"""The commit in progress: files that are written already, and the manifest that will list them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from duanka.domain.private_files import private_folder, tighten
from duanka.engine.shared.duckdb_database import Rows, arrow, opened, parquet, quoted, run
from duanka.engine.store.manifest import FileKind, Manifest, StoredFile, read_manifest, sync, write_manifest
from duanka.engine.store.parquet_files import GROUP_ROWS, PAGE_BYTES

WORK = "work"  # spill of the writer's database
_PAGES = f"WRITE_PAGE_INDEX true, DATA_PAGE_SIZE_LIMIT {PAGE_BYTES}"


class NextGeneration:
    """Collects the changes of one commit. `at`: its local time."""

    def __init__(
        self, folder: Path, manifest: Manifest, at: datetime, *, memory: str, threads: int | None
    ) -> None:
        self.folder, self.manifest, self.at = folder, manifest.copied(), at
        self.number = manifest.generation + 1
        self._listed = frozenset(manifest.files)
        self._made: list[Path] = []
        self._gone: set[str] = set()
        self._memory, self._threads = memory, threads
        self._db: duckdb.DuckDBPyConnection | None = None

    @property
    def work(self) -> Path:
        """A private folder for what is needed only until the commit."""
        private_folder(self.folder / WORK)
        return self.folder / WORK

    @property
    def db(self) -> duckdb.DuckDBPyConnection:
        """The writer's database, opened when it is first used."""
        if self._db is None:
            self._db = opened(self.work, self._memory, self._threads)
            run(self._db, "SET preserve_insertion_order = true")  # what is read stays sorted by card
        return self._db

    def run(self, sql: str) -> Rows:
        """Run `sql` in the writer's database."""
        return run(self.db, sql)

    def arrow(self, sql: str) -> pa.Table:
        """Run `sql` and return its rows as Arrow."""
        return arrow(self.db, sql)

    def columns(self, sql: str) -> dict[str, pa.ChunkedArray]:
        """Run `sql` and return its columns by name; nothing else holds them."""
        found = self.arrow(sql)
        return {name: found[name] for name in found.column_names}

    def source(self, paths: Iterable[str], *, union: bool = False) -> str:
        """SQL source that reads files of the store; `union`: by the names of columns, which may differ."""
        return parquet((self.folder / path for path in paths), union=union)

    def new_path(self, kind: FileKind, name: str = "", day: date | None = None) -> Path:
        """Path of a new file, in an existing folder."""
        inside = self.folder.joinpath(kind, name, str(day) if day else "")
        for parent in [*reversed(inside.relative_to(self.folder).parents), inside.relative_to(self.folder)]:
            private_folder(self.folder / parent)
        path = inside / f"{self.number}-{len(self._made) + 1}.parquet"
        self._made.append(path)
        return path

    def write(
        self,
        select: str,
        kind: FileKind,
        name: str = "",
        day: date | None = None,
        run: Callable[[str], Rows] | None = None,
    ) -> str | None:
        """Write the rows of `select` to a new file; None if there are none. `run`: of the database that has them."""
        path = self.new_path(kind, name, day)
        how = f"FORMAT parquet, COMPRESSION lz4, ROW_GROUP_SIZE {GROUP_ROWS}"
        if kind is FileKind.RECORDS:
            how += f", {_PAGES}"
        rows = int((run or self.run)(f"COPY ({select}) TO {quoted(str(path))} ({how})")[0][0])
        return self.take(path, rows, kind, name, day)

    def take(
        self, path: Path, rows: int, kind: FileKind, name: str = "", day: date | None = None
    ) -> str | None:
        """List the file at `path`; delete it and return None if it has no `rows`."""
        if not rows:
            path.unlink(missing_ok=True)
            return None
        tighten(path)
        listed = path.relative_to(self.folder).as_posix()
        self.manifest.files[listed] = StoredFile(
            kind=kind, name=name, day=day, rows=rows, bytes=path.stat().st_size, written=self.at.date()
        )
        return listed

    def replace(
        self,
        paths: Sequence[str],
        select: str,
        kind: FileKind,
        name: str = "",
        day: date | None = None,
        *,
        for_good: bool = False,
        run: Callable[[str], Rows] | None = None,
    ) -> str | None:
        """Write the rows of `select` (empty: none) to a new file in place of `paths`; `for_good`: see `drop`."""
        path = self.write(select, kind, name, day, run) if select else None
        self.put_in_place_of(paths, path, for_good=for_good)
        return path

    def put_in_place_of(self, paths: Sequence[str], path: str | None, *, for_good: bool = False) -> None:
        """Let the new file `path` (None: none) stand for `paths`; `for_good`: see `drop`."""
        if path and paths:
            self.manifest.files[path].written = min(self.manifest.files[one].written for one in paths)
        self.drop(*paths, for_good=for_good)

    def drop(self, *paths: str, for_good: bool = False) -> None:
        """Take files out of the store. `for_good`: the commit deletes them, not the next one."""
        if for_good:
            self._gone.update(paths)
        for path in paths:
            del self.manifest.files[path]
            if path not in self._listed:
                (self.folder / path).unlink()

    def commit(self) -> None:
        """Put the changes into effect; delete what the commit before replaced, and what goes for good."""
        self.complete()
        self.publish()

    def complete(self) -> None:
        """Bring the new files to the disk; `manifest` is then what `publish` puts into effect."""
        new = [self.folder / path for path in self.manifest.files if path not in self._listed]
        inside = {parent for path in new for parent in path.relative_to(self.folder).parents}
        sync(*new, *(self.folder / parent for parent in sorted(inside)))
        self._gone |= self.manifest.replaced
        self.manifest.replaced = set(self._listed - set(self.manifest.files) - self._gone)
        self.manifest.generation, self.manifest.committed_at = self.number, self.at

    def publish(self) -> None:
        """Put what is complete into effect."""
        write_manifest(self.folder, self.manifest)
        for path in self._gone:
            (self.folder / path).unlink(missing_ok=True)
        self._listed = frozenset(self.manifest.files)
        self.number += 1
        self._made.clear()
        self._gone.clear()

    def roll_back(self) -> None:
        """Begin again from the last commit; delete files that were not committed."""
        self.manifest = read_manifest(self.folder)
        self._begin_anew()

    def _begin_anew(self) -> None:
        # as the disk has it: the last commit may have come through, though it ended with an error
        listed = read_manifest(self.folder).files if self._made else {}
        for path in self._made:
            if path.relative_to(self.folder).as_posix() not in listed:
                path.unlink(missing_ok=True)
        self.number = self.manifest.generation + 1
        self._listed = frozenset(self.manifest.files)
        self._made.clear()
        self._gone.clear()

    def close(self) -> None:
        """Release the database, and delete files that were not committed."""
        if self._db is not None:
            self._db.close()
        shutil.rmtree(self.folder / WORK, ignore_errors=True)
        self._begin_anew()
