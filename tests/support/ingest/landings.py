"""Files that land, for tests: an inbox that does not dawdle, and what came out of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from duanka.domain.schema import TABLES
from duanka.domain.streaming import GONE, Batch, SetAside
from duanka.ingest import Inbox, LandingTimeouts
from duanka.ingest.files.beginnings import is_beginning
from duanka.ingest.storage.key_columns import with_texts
from support.waiting import HANG

FAST = LandingTimeouts(settle=0, whole=0, poll=0.01)


def put(folder: Path, name: str, content: str | bytes | pl.DataFrame) -> Path:
    """Let a file land."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pl.DataFrame):
        content.write_parquet(path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def calls(rows: Iterable[int]) -> str:
    """CSV of calls that differ in their seconds."""
    head = "card,peer,direction,started_at,seconds\n"
    return head + "".join(f"8613800138000,8613900139000,out,2021-05-17 09:30:00,{row}\n" for row in rows)


def inbox(folder: Path, **options: Any) -> Inbox:
    return Inbox(folder, **{"wait": False, "patience": FAST, **options})


def drained(folder: Path, done: Mapping[str, int] | None = None, **options: Any) -> list[Batch]:
    """What an inbox gives until nothing is left."""
    return list(inbox(folder, **options).batches(done or {}))


@contextmanager
def running(feed: Any, done: Mapping[str, int] | None = None) -> Iterator[Iterator[Batch]]:
    """The batches of a feed that waits; it ends with the block."""
    batches = feed.batches(done or {})
    try:
        yield batches
    finally:
        feed.stop()
        batches.close()


def until(batches: Iterator[Batch], records: int) -> list[Batch]:
    """Take batches until so many records came."""
    taken: list[Batch] = []
    end = time.monotonic() + HANG
    while time.monotonic() < end and sum(batch.records for batch in taken) < records:
        taken.append(next(batches))
    assert sum(batch.records for batch in taken) >= records, "it did not come"
    return taken


def rows_of(batches: Iterable[Batch], table: str = "calls") -> pl.DataFrame:
    """All rows of a table, in the order in which they came, with texts in place of record keys."""
    batches = list(batches)
    texts = [pl.DataFrame(b.texts) for b in batches if b.texts is not None]
    found = [pl.DataFrame(p.rows) for b in batches for p in b.pieces if p.table == table]
    if found:
        return with_texts(table, pl.concat(found), pl.concat(texts).lazy() if texts else None)
    return pl.DataFrame(schema=[*(c.name for c in TABLES[table].columns), "line", "same"])


def seconds_of(batches: Iterable[Batch]) -> list[int]:
    return rows_of(batches)["seconds"].to_list()


def aside_of(batches: Iterable[Batch]) -> list[SetAside]:
    return [record for batch in batches for record in batch.aside]


def reasons_of(batches: Iterable[Batch]) -> list[str]:
    return [record.reason for record in aside_of(batches)]


def positions_of(batches: Iterable[Batch], done: Mapping[str, int] | None = None) -> dict[str, int]:
    """What whoever keeps positions has after these batches."""
    kept = dict(done or {})
    for batch in batches:
        kept.update(batch.positions)
    return {origin: position for origin, position in kept.items() if position != GONE}


def ends_of(batches: Iterable[Batch]) -> dict[str, int]:
    """How far each file is read after these batches, without what is kept of its beginning."""
    return {o: position for o, position in positions_of(batches).items() if not is_beginning(o)}


def sources_of(batches: Iterable[Batch]) -> set[tuple[str, str]]:
    return {(piece.source, piece.table) for batch in batches for piece in batch.pieces}


def counted(batches: Iterable[Batch]) -> bool:
    """Whether every record is a row or set aside, batch by batch."""
    return all(
        batch.records == batch.rejected + sum(pl.DataFrame(p.rows).height for p in batch.pieces)
        for batch in batches
    )
