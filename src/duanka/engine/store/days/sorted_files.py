"""Reading of several files that are sorted by card, side by side: all rows of a range of cards at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from duanka.engine.store.days.grouping import Ints
from duanka.engine.store.manifest import damaged

SLICE_ROWS = 100_000  # about so many rows at once: what a core's cache holds
LEAST_ROWS = 4_096  # of one file at once
_BUFFER_BYTES = 32_768  # of a column of a file


def slices(
    folder: Path, paths: Sequence[str], schema: pa.Schema, *, rows: int | None = None
) -> Iterator[pa.Table]:
    """Yield the rows of all files of the store in `folder`, range by range of cards, in order of the ranges.

    A card's rows are all in one table, with about `rows` rows. `schema`: the columns to read, by name; texts come as
    dictionaries. No card is NULL. DuankaError: a file is damaged.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(_SortedFile(folder, path, schema)) for path in paths]
        in_all = sum(file.rows for file in files)
        for file in files:
            file.at_once = max(LEAST_ROWS, (rows or SLICE_ROWS) * file.rows // max(in_all, 1))
        while parts := _next_slice(files):
            yield pa.Table.from_batches(parts)


def _next_slice(files: Sequence[_SortedFile]) -> list[pa.RecordBatch]:
    """The rows up to the last card that all files have read completely; none: the files have ended."""
    more = 0
    while True:
        for file in files:
            file.read(file.at_once + more)
        ends = [file.last for file in files if not file.ended]
        limit = min(ends, default=None)
        parts = [part for file in files for part in file.taken(limit)]
        if parts or limit is None:
            return parts
        more += max(file.at_once for file in files)  # a card with very many rows


class _SortedFile:
    """What is read of one file and not used yet."""

    def __init__(self, folder: Path, path: str, schema: pa.Schema) -> None:
        self._folder, self._path, self._columns = folder, path, schema.names
        self._texts = [field.name for field in schema if pa.types.is_string(field.type)]
        self._held: list[pa.RecordBatch] = []
        self.ended = False
        self.at_once = LEAST_ROWS

    def __enter__(self) -> _SortedFile:
        with self._readable():
            self._file = pq.ParquetFile(
                self._folder / self._path,
                read_dictionary=self._texts,
                buffer_size=_BUFFER_BYTES,
                pre_buffer=False,  # else whole files are held
            )
        self.rows = self._file.metadata.num_rows
        self._batches: Iterator[pa.RecordBatch] | None = None
        return self

    def __exit__(self, *_: object) -> None:
        self._held.clear()
        self._batches = None
        self._file.close()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Say which file is damaged."""
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise damaged(self._folder, self._path) from error

    @property
    def last(self) -> int:
        """The last card that was read; its rows may go on."""
        return int(self._held[-1]["card"][-1].as_py())

    def read(self, rows: int) -> None:
        """Hold at least `rows` rows, or all that are left."""
        held = sum(map(len, self._held))
        with self._readable():
            if self._batches is None:
                self._batches = self._file.iter_batches(
                    self.at_once, columns=self._columns, use_threads=False
                )
            while held < rows and not self.ended:
                batch = next(self._batches, None)
                if batch is None:
                    self.ended = True
                elif len(batch):
                    # by name and without what each file says of NULLs: not all were written by the same program
                    columns = [batch[name] for name in self._columns]
                    self._held.append(pa.RecordBatch.from_arrays(columns, names=self._columns))
                    held += len(batch)

    def taken(self, limit: int | None) -> list[pa.RecordBatch]:
        """The rows of cards below `limit`, which are no longer held; None: all."""
        found, kept = [], []
        for batch in self._held:
            upto = len(batch) if limit is None else _below(batch, limit)
            if upto:
                found.append(batch.slice(0, upto))
            if upto < len(batch):
                kept.append(batch.slice(upto))
        self._held = kept
        return found


def _below(batch: pa.RecordBatch, limit: int) -> int:
    cards: Ints = batch["card"].to_numpy()
    return int(np.searchsorted(cards, limit))
