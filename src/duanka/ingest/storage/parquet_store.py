"""Canonical records on disk: `<table>/part-NNNNN.parquet`, with record keys in place of numbers and devices.

During intake a second file beside each part holds the origin of its rows.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from duanka.domain.schema import REGISTER_KEYS, TABLES
from duanka.ingest.normalise import columns
from duanka.ingest.storage.key_columns import KnownTexts, with_keys
from duanka.ingest.storage.seen_hashes import SeenHashes

IMSIS = "imsi.sqlite"  # IMSI -> card, during intake
TEXTS = "texts.parquet"  # texts of hashed record keys
GROUP_ROWS = 1 << 16
PART_ROWS = 1_000_000

_ARROW: dict[pl.DataType, Any] = {
    pl.Datetime("us"): pa.timestamp("us"),
    pl.Date(): pa.date32(),
    pl.Int64(): pa.int64(),
    pl.Boolean(): pa.bool_(),
    pl.String(): pa.string(),
}


@dataclass(frozen=True)
class PartFile:
    """A file of canonical rows, and the file with the ORIGIN of each row."""

    path: Path
    origin: Path
    rows: int


ORIGIN = np.dtype([("file", "<i4"), ("line", "<i8"), ("hash", "<u8"), ("id", "<u8")])
"""Origin of a row. `file`: number of its delivered file. `line`: its line there. `hash`: of its identity, see
`hashes`; equal for repeated rows. `id`: second hash of its record id, so that ids are compared by 128 bits; 0: none."""

NO_ID = 0
_ID_SEED = 0x5EED


def origins(part: PartFile) -> npt.NDArray[np.void]:
    """Return the origin of every row of `part`, memory-mapped."""
    return np.memmap(part.origin, ORIGIN, "r")


def schema(table: str) -> Any:
    """Return the Arrow schema of a canonical table."""
    return pa.schema(
        [(c.name, pa.int64() if c.keyed else _ARROW[columns.dtype(c)]) for c in TABLES[table].columns]
    )


def hashes(
    table: str, frame: pl.DataFrame, ids: pl.Series | None, twice: pl.Series | None = None
) -> pl.Series:
    """Return a hash per row of its identity: record id, register key, or all values.

    `twice`: source text of times in a repeated local hour, included in the hash.
    """
    same = [ids] if ids is not None else frame
    if table in REGISTER_KEYS:
        same = [frame[REGISTER_KEYS[table]]]
    found = pl.DataFrame(same).hash_rows()  # the seed is fixed, so hashes are equal in every process
    if twice is None or ids is not None or table in REGISTER_KEYS:
        return found
    told = frame.with_columns(twice.alias("written")).hash_rows()
    return told.zip_with(twice.is_not_null(), found)


class TablePartsWriter:
    """Writes the parts of one table.

    A row that may repeat an earlier one goes to parts of its own, behind the others: there are few of them, and only
    their parts are written again without those that do (see deduplication). So `parts` are in the order of delivery
    as far as equal rows are concerned. A register keeps the last of equal rows: all of its rows are in order.
    """

    def __init__(self, out: Path, table: str, texts: KnownTexts, seen: SeenHashes | None = None) -> None:
        self.parts: list[PartFile] = []  # once closed
        self.filled: set[str] = set()
        self._table = table
        self._texts = texts
        self._seen = seen or SeenHashes()
        self._first = _PartsInOrder(out / table, "part", schema(table))
        self._again = _PartsInOrder(out / table, "part-again", schema(table))

    @property
    def may_repeat(self) -> bool:
        """Whether two rows may be equal."""
        return self._table in REGISTER_KEYS or bool(self._again.parts)

    def add(
        self,
        frame: pl.DataFrame,
        file: int,
        lines: npt.NDArray[np.int64],
        ids: pl.Series | None,
        twice: pl.Series | None = None,
    ) -> None:
        """Append canonical rows from `lines` of file number `file`; `twice`: see `hashes`."""
        if not frame.height:
            return
        if len(self.filled) < frame.width:
            self.filled.update(s.name for s in frame if s.name not in self.filled and s.null_count() < len(s))
        frame = with_keys(self._table, frame, self._texts)
        origin = np.empty(frame.height, ORIGIN)
        origin["file"] = file
        origin["line"] = lines
        hashed = hashes(self._table, frame, ids, twice).to_numpy()
        origin["hash"] = hashed
        # in a source with ids, a record without one has the hash of null and is compared in full
        origin["id"] = NO_ID if ids is None else ids.hash(_ID_SEED).set(ids.is_null(), NO_ID).to_numpy()
        if self._table in REGISTER_KEYS or not (again := self._seen.again(hashed)).any():
            self._first.add(frame, origin)
            return
        self._first.add(frame.filter(~again), origin[~again])
        self._again.add(frame.filter(again), origin[again])

    def close(self) -> None:
        """Write buffered rows and close the last parts."""
        self._first.close()
        self._again.close()
        self.parts = [*self._first.parts, *self._again.parts]

    def abandon(self) -> None:
        """Close the open parts unfinished, after an error."""
        self._first.abandon()
        self._again.abandon()


class _PartsInOrder:
    """Parts `NAME-NNNNN.parquet` in a folder, each with the origin of its rows."""

    def __init__(self, folder: Path, name: str, shape: Any) -> None:
        self.parts: list[PartFile] = []
        self._folder = folder
        self._name = name
        self._schema = shape
        self._frames: list[pl.DataFrame] = []
        self._held = 0
        self._origins: list[npt.NDArray[np.void]] = []
        self._rows = 0
        self._writer: Any = None
        self._pool = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def add(self, frame: pl.DataFrame, origin: npt.NDArray[np.void]) -> None:
        self._frames.append(frame)
        self._origins.append(origin)
        self._held += frame.height
        if self._held >= GROUP_ROWS:
            self._write_group()

    def close(self) -> None:
        self._write_group()
        self._close_part()

    def abandon(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _part_path(self) -> Path:
        return self._folder / f"{self._name}-{len(self.parts):05d}.parquet"

    def _write_group(self) -> None:
        if not self._held:
            return
        if self._writer is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer = part_writer(self._part_path(), self._schema)
        frame = pl.concat(self._frames)
        self._wait()
        # compress in another thread, while the next blocks are read: both take equally long
        self._writing = self._pool.submit(_write, frame, self._writer, self._schema)
        with self._part_path().with_suffix(".origin").open("ab") as file:
            for origin in self._origins:
                file.write(origin.tobytes())
        self._rows += self._held
        self._frames.clear()
        self._origins.clear()
        self._held = 0
        if self._rows >= PART_ROWS:
            self._close_part()

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _close_part(self) -> None:
        if self._writer is None:
            return
        self._wait()
        self._writer.close()
        path = self._part_path()
        self.parts.append(PartFile(path, path.with_suffix(".origin"), self._rows))
        self._rows = 0
        self._writer = None


def part_writer(path: Path, shape: Any) -> Any:
    """Open a part: integers as differences, texts by dictionary.

    Most integers of a row group are distinct. A dictionary of them, and a strong compression, made writing cost twice
    and reading a third more, for a sixth less space.
    """
    numbers = [one.name for one in shape if pa.types.is_int64(one.type) or pa.types.is_timestamp(one.type)]
    return pq.ParquetWriter(
        path,
        shape,
        compression="snappy",
        use_dictionary=[
            one.name for one in shape if pa.types.is_string(one.type) or pa.types.is_date(one.type)
        ],
        column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
    )


def _write(frame: pl.DataFrame, writer: Any, shape: Any) -> None:
    """Write `frame` as one row group."""
    arrow = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    writer.write_table(arrow.cast(shape), row_group_size=max(frame.height, 1))


def clear(out: Path) -> None:
    """Remove the results of an earlier intake in `out`."""
    for path in (out / "quarantine.parquet", out / TEXTS, *out.glob(f"{IMSIS}*")):
        path.unlink(missing_ok=True)
    for table in TABLES:
        for path in (out / table).glob("part-*"):
            if path.suffix in (".parquet", ".origin"):
                path.unlink(missing_ok=True)
        with suppress(OSError):  # keep a folder with other content
            (out / table).rmdir()
