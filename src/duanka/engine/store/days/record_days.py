"""Records by day: each delivery adds one file to each of its days, sorted by card and time.

A record that the store holds already is not added again. Only days that have files are compared, first by card and
time alone, and what agrees in these two then in all columns.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise

from duanka.domain.schema import TABLES
from duanka.engine.shared.duckdb_database import quoted
from duanka.engine.store.columns import names, time_of, typed
from duanka.engine.store.days.card_order import MOST_SLICES, SLICE_ROWS, sorted_by_card
from duanka.engine.store.manifest import FileKind, RepeatCounts
from duanka.engine.store.next_generation import NextGeneration
from duanka.engine.store.parquet_files import ParquetFile


@dataclass
class AddedRecords:
    """What one table received. `files`: day -> path of its new file."""

    new: int = 0
    repeated: int = 0
    late: int = 0
    files: dict[date, str] = field(default_factory=dict)


def add_records(draft: NextGeneration, table: str, source: str, *, compare: bool = True) -> AddedRecords:
    """Add the canonical rows of a SQL source to their days; without `compare`, none of them is there already."""
    moment, added = time_of(table), AddedRecords()
    delivered = draft.run(
        f"SELECT CAST({moment} AS DATE) AS day, count(*) FROM {source} GROUP BY day ORDER BY day"
    )
    begin = draft.manifest.kept.records_from or date.min
    for day, records in delivered:
        if day < begin:
            added.late += records
            continue
        end = f"DATE {quoted(str(day))} + 1"
        rows = (
            f"SELECT {typed(TABLES[table])} FROM {source}"
            f" WHERE {moment} >= DATE {quoted(str(day))} AND {moment} < {end}"
        )
        _add_day(draft, table, day, rows, records, added, compare=compare)
    counts = draft.manifest.not_added.setdefault(table, RepeatCounts())
    counts.repeated += added.repeated
    counts.late += added.late
    return added


def _add_day(
    draft: NextGeneration,
    table: str,
    day: date,
    rows: str,
    records: int,
    added: AddedRecords,
    *,
    compare: bool,
) -> None:
    there = draft.manifest.paths(FileKind.RECORDS, table, day) if compare else []
    if there:
        rows = _unknown(draft, table, rows, draft.source(there))
    path = _written(draft, table, day, rows, records, again=bool(there))
    new = draft.manifest.files[path].rows if path else 0
    added.repeated += records - new
    if path:
        added.new += new
        added.files[day] = path
        _count(draft, table, day, path, new)


def _written(
    draft: NextGeneration, table: str, day: date, rows: str, most: int, *, again: bool
) -> str | None:
    """Write `rows`, at most so many, sorted; None if there are none. `again`: reading them more than once is dear."""
    slices = -(-most // SLICE_ROWS)
    if slices > (1 if again else MOST_SLICES):
        order = ", ".join(dict.fromkeys(("card", time_of(table))))
        return draft.write(f"{rows} ORDER BY {order}", FileKind.RECORDS, table, day)
    path = draft.new_path(FileKind.RECORDS, table, day)
    written = 0
    with ExitStack() as stack:
        file: ParquetFile | None = None
        for within in _card_ranges(draft, rows, slices):
            columns = draft.columns(f"FROM ({rows}) WHERE {within}")
            if not len(columns["card"]):
                continue
            found = sorted_by_card(columns, time_of(table))
            file = file or stack.enter_context(ParquetFile(path, found.schema, pages=True))
            file.add(found)
            written = file.rows
    return draft.take(path, written, FileKind.RECORDS, table, day)


def _card_ranges(draft: NextGeneration, rows: str, slices: int) -> list[str]:
    """Conditions of ranges of cards with about as many rows each, in order."""
    if slices < 2:
        return ["TRUE"]
    shares = ", ".join(str(number / slices) for number in range(1, slices))
    ((found,),) = draft.run(f"SELECT approx_quantile(card, [{shares}]) FROM ({rows})")
    bounds = sorted(set(found))
    return [
        f"card < {bounds[0]}",
        *(f"card >= {low} AND card < {high}" for low, high in pairwise(bounds)),
        f"card >= {bounds[-1]}",
    ]


def _unknown(draft: NextGeneration, table: str, rows: str, there: str) -> str:
    """SELECT of those of `rows` that are not `there`."""
    moment = time_of(table)
    both = f"n.card = o.card AND n.{moment} = o.{moment}"
    draft.run(
        "CREATE OR REPLACE TEMP TABLE candidates AS"
        f" SELECT o.* FROM {there} AS o SEMI JOIN ({rows}) AS n ON {both}"
    )
    others = [f"n.{name} IS NOT DISTINCT FROM o.{name}" for name in names(table)]
    return f"SELECT n.* FROM ({rows}) AS n ANTI JOIN candidates AS o ON {both} AND {' AND '.join(others)}"


def _count(draft: NextGeneration, table: str, day: date, path: str, new: int) -> None:
    """Bring the manifest's coverage of the day up to date."""
    ((last,),) = draft.run(f"SELECT CAST(max({time_of(table)}) AS TIMESTAMP) FROM {draft.source([path])}")
    days = draft.manifest.days.setdefault(table, {})
    before, latest = days.get(day, (0, datetime.min))
    days[day] = (before + new, max(latest, last))
