"""The reference of `make bench`: the plain scan over canonical text Parquet, whatever the code reads and keeps.

Written down here are the files and the statements of the day on which the store began: every number, device and cell
as text, parts of a million rows in row groups of 65,536, and one GROUP BY card with 12 aggregates after the count of
records by day that every scan begins with. It does not change with the code that is measured against it.

    python benchmarks/reference.py TEXT calls|all [--memory 624MiB]     # CPU seconds, seconds, peak MB
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from measuring import Cost, cost_of

_TEXT, _TIME = pa.string(), pa.timestamp("us")
_SEEN = {"imei": _TEXT, "cell": _TEXT, "city": _TEXT}
RECORDS: dict[str, dict[str, Any]] = {
    "calls": {
        "card": _TEXT,
        "peer": _TEXT,
        "direction": _TEXT,
        "started_at": _TIME,
        "seconds": pa.int64(),
        "answered": pa.bool_(),
        **_SEEN,
        "forwarded_from": _TEXT,
    },
    "messages": {"card": _TEXT, "peer": _TEXT, "direction": _TEXT, "sent_at": _TIME, **_SEEN},
    "sightings": {"card": _TEXT, "seen_at": _TIME, **_SEEN},
    "data_days": {"card": _TEXT, "day": pa.date32(), "bytes": pa.int64()},
}
_MOMENTS = {"calls": "started_at", "messages": "sent_at", "sightings": "seen_at", "data_days": "day"}
_READ = ("direction", "answered", "seconds")
_GROUP_ROWS, _PART_ROWS = 1 << 16, 1_000_000
_IMEI_DIGITS = 14

_BY_DAY = (
    "SELECT CAST({moment} AS DATE) AS day, count(*), CAST(max({moment}) AS TIMESTAMP)"
    " FROM {source} GROUP BY ALL ORDER BY day"
)
_PLAIN = """
    CREATE TABLE x AS
    SELECT card, count(*) AS calls, count(*) FILTER (WHERE direction = 'out') AS calls_out,
           count(*) FILTER (WHERE direction = 'in') AS calls_in, count(*) FILTER (WHERE answered) AS answered,
           count(*) FILTER (WHERE answered AND direction = 'out') AS answered_out,
           sum(seconds) AS seconds, sum(seconds) FILTER (WHERE direction = 'out') AS seconds_out,
           sum(seconds) FILTER (WHERE direction = 'in') AS seconds_in, min(seconds) AS shortest,
           max(seconds) AS longest, min(started_at) AS first_at, max(started_at) AS last_at
    FROM {source} GROUP BY card
"""


def text_of(world: Path) -> Path:
    """Write the records of `world` as canonical text beside it, once; return the folder."""
    text = world.with_name(f"{world.name}.text")
    if not text.is_dir():
        unfinished = world.with_name(f"{world.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        for table in RECORDS:
            if delivered := delivered_files(world, table):
                _write(table, delivered, unfinished / table)
        unfinished.rename(text)
    return text


def delivered_files(world: Path, table: str) -> list[Path]:
    """The Parquet files of `table` in `world`: TABLE/*.parquet or TABLE.parquet."""
    return sorted((world / table).glob("*.parquet")) or sorted(world.glob(f"{table}.parquet"))


def records_in(text: Path) -> dict[str, int]:
    """Record table -> its records in `text`."""
    counts = {
        name: sum(pq.read_metadata(part).num_rows for part in (text / name).glob("*.parquet"))
        for name in RECORDS
    }
    return {name: records for name, records in counts.items() if records}


def _write(table: str, delivered: list[Path], out: Path) -> None:
    out.mkdir(parents=True)
    schema = pa.schema(list(RECORDS[table].items()))
    groups = _groups(delivered, schema)
    part = 0
    while (first := next(groups, None)) is not None:
        rows = 0
        with pq.ParquetWriter(out / f"part-{part:05d}.parquet", schema, compression="zstd") as writer:
            group: pa.Table | None = first
            while group is not None:
                writer.write_table(group, row_group_size=max(group.num_rows, 1))
                rows += group.num_rows
                group = next(groups, None) if rows < _PART_ROWS else None
        part += 1


def _groups(delivered: list[Path], schema: Any) -> Iterator[Any]:
    """The rows in the order of delivery, in row groups of at most _GROUP_ROWS."""
    for path in delivered:
        for batch in pq.ParquetFile(path).iter_batches(_GROUP_ROWS):
            rows = pa.Table.from_batches([batch])
            columns = [
                rows.column(name).cast(field.type)
                if name in rows.column_names
                else pa.nulls(len(rows), field.type)
                for name, field in zip(schema.names, schema, strict=True)
            ]
            if "imei" in schema.names:
                at = schema.names.index("imei")
                columns[at] = pc.utf8_slice_codeunits(columns[at], 0, _IMEI_DIGITS)
            yield pa.table(columns, schema=schema)


def plain_scan(text: Path, memory: str, *, all_tables: bool) -> Cost:
    """What the plain scan costs: of the calls, or of all record tables as if they were calls."""
    with tempfile.TemporaryDirectory() as work, duckdb.connect(":memory:") as db:
        for setting in (
            f"memory_limit = '{memory}'",
            f"temp_directory = '{work}/spill'",
            "preserve_insertion_order = false",
        ):
            db.execute(f"SET {setting}")
        return cost_of(lambda: _scan(db, text, all_tables=all_tables))


def _scan(db: duckdb.DuckDBPyConnection, text: Path, *, all_tables: bool) -> None:
    days = {}
    for table in records_in(text):
        db.execute(f"CREATE VIEW given_{table} AS FROM read_parquet('{text / table}/*.parquet')")
        by_day = _BY_DAY.format(moment=_MOMENTS[table], source=f"given_{table}")
        days[table] = db.execute(by_day).fetchall()
    first = min(of_table[0][0] for of_table in days.values())
    last = max(of_table[-1][0] for of_table in days.values())
    for table in days:
        db.execute(
            f"CREATE VIEW {table} AS FROM given_{table} WHERE {_MOMENTS[table]} >= DATE '{first}'"
            f" AND {_MOMENTS[table]} < DATE '{last}' + 1"
        )
    union = " UNION ALL ".join(
        f"SELECT card, {', '.join(c if c in RECORDS[table] else f'NULL AS {c}' for c in _READ)},"
        f" CAST({_MOMENTS[table]} AS TIMESTAMP) AS started_at FROM {table}"
        for table in days
    )
    db.execute(_PLAIN.format(source=f"({union})" if all_tables else "calls"))


def main() -> None:
    """Measure one plain scan in this process and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("tables", choices=("calls", "all"))
    parser.add_argument("--memory", default="624MiB")
    given = parser.parse_args()
    print(plain_scan(given.text, given.memory, all_tables=given.tables == "all").as_json())


if __name__ == "__main__":
    main()
