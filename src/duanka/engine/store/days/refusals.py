"""Refused calls and messages by day. One is identified by its element and key, however often it is delivered."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from duanka.domain.local_time import OperatorZone
from duanka.domain.network import Carried, Refusal, RefusalKey, RefusalQuestion, RefusalReason
from duanka.domain.record_keys import key_of, text_of
from duanka.engine.shared.duckdb_database import lent, parquet, plainly, quoted
from duanka.engine.store.manifest import FileKind, Manifest
from duanka.engine.store.next_generation import NextGeneration
from duanka.engine.store.registers import add_texts

ORDER = "card, refused_at, element, key"  # of the rows of a file; element and key are of one row
_DAYS_AT_ONCE = 16  # that a look for the latest refusals of a card reads together
_SCHEMA = pa.schema(
    [
        ("card", pa.int64()),
        ("refused_at", pa.timestamp("us")),  # local, as the times of records
        ("peer", pa.int64()),
        ("carried", pa.string()),
        ("reason", pa.string()),
        ("element", pa.string()),
        ("key", pa.string()),
        ("detail", pa.string()),
        ("operator", pa.string()),  # under which it was counted; files of before have no place
        ("city", pa.string()),
    ]
)

_FACTS = ", ".join(_SCHEMA.names)
_PLACE = ("operator", "city")


@dataclass
class AddedRefusals:
    """How many were added, were there already, or came for a day that was purged."""

    new: int = 0
    repeated: int = 0
    late: int = 0


def add_refusals(draft: NextGeneration, rows: Sequence[Refusal]) -> AddedRefusals:
    """Add `rows` to their days, in the zone of the store."""
    zone, added = OperatorZone(draft.manifest.zone), AddedRefusals()
    given = pa.Table.from_pylist([_row(one, zone) for one in rows], schema=_SCHEMA)
    texts = {key_of(text): text for one in rows for text in (one.card, one.peer) if text}
    opaque = {key: text for key, text in texts.items() if key < 0}
    if opaque:
        pairs = pa.table({"key": list(opaque), "text": list(opaque.values())})
        with lent(draft.db, "refused_texts", pairs):
            add_texts(draft, "refused_texts")
    begin = draft.manifest.kept.refusals_from or date.min
    with lent(draft.db, "refused", given):
        for day, count in draft.run(
            "SELECT CAST(refused_at AS DATE) AS day, count(*) FROM refused GROUP BY day"
        ):
            if day < begin:
                added.late += count
                continue
            path = draft.write(_new(draft, day), FileKind.REFUSALS, day=day)
            new = draft.manifest.files[path].rows if path else 0
            added.new += new
            added.repeated += count - new
    return added


def _new(draft: NextGeneration, day: date) -> str:
    """SELECT of the rows of `day` that the store does not have, the first of each element and key."""
    there = draft.manifest.paths(FileKind.REFUSALS, day=day)
    known = f" ANTI JOIN {draft.source(there, union=True)} AS o USING (element, key)" if there else ""
    return (
        f"SELECT n.* FROM (SELECT DISTINCT ON (element, key) * FROM refused"
        f" WHERE CAST(refused_at AS DATE) = DATE {quoted(str(day))} ORDER BY element, key, refused_at, {_FACTS})"
        f" AS n{known} ORDER BY {ORDER}"
    )


def counted(
    folder: Path, paths: Sequence[str], since: datetime, until: datetime
) -> dict[tuple[Carried, RefusalReason], int]:
    """Count the refusals in files of a store by what was refused and why."""
    if not paths:
        return {}
    with closing(duckdb.connect(":memory:")) as db, plainly():
        found = db.execute(
            f"SELECT carried, reason, count(*) FROM {parquet(folder / path for path in paths)}"
            " WHERE refused_at >= ? AND refused_at < ? GROUP BY ALL",
            [since, until],
        ).fetchall()
    return {(Carried(carried), RefusalReason(reason)): count for carried, reason, count in found}


def of_card(folder: Path, manifest: Manifest, card: str, limit: int) -> list[Refusal]:
    """The latest refusals of a card in the store in `folder`, the latest first. duckdb.Error: a file is gone."""
    key, found = key_of(card), list[tuple[Any, ...]]()
    if not (days := manifest.days_of(FileKind.REFUSALS)[::-1]):
        return []
    with closing(duckdb.connect(":memory:")) as db:
        for begin in range(0, len(days), _DAYS_AT_ONCE):
            some = days[begin : begin + _DAYS_AT_ONCE]
            paths = [folder / path for day in some for path in manifest.paths(FileKind.REFUSALS, day=day)]
            found += db.execute(
                f"SELECT {_READ} FROM {_with_places(db, paths)}"
                " WHERE card = ? ORDER BY refused_at DESC, element, key LIMIT ?",
                [key, limit - len(found)],
            ).fetchall()
            if len(found) >= limit:
                break
        return _refusals(db, folder, manifest, found)


def known_in(
    folder: Path, manifest: Manifest, rows: Sequence[tuple[str, str, datetime]]
) -> frozenset[RefusalKey]:
    """Which of these (element, key, time) are in the store. duckdb.Error: a file is gone."""
    zone, found = OperatorZone(manifest.zone), set[RefusalKey]()
    days: dict[date, list[RefusalKey]] = {}
    for element, key, at in rows:
        days.setdefault(zone.local(at).date(), []).append((element, key))
    with closing(duckdb.connect(":memory:")) as db, plainly():
        for day, keys in days.items():
            if not (paths := [folder / path for path in manifest.paths(FileKind.REFUSALS, day=day)]):
                continue
            asked = pa.table({"element": [one for one, _ in keys], "key": [one for _, one in keys]})
            with lent(db, "asked", asked):
                there = db.execute(
                    f"SELECT element, key FROM {parquet(paths)} SEMI JOIN asked USING (element, key)"
                )
                found.update(there.fetchall())
    return frozenset(found)


def of_period(folder: Path, manifest: Manifest, asked: RefusalQuestion) -> list[Refusal]:
    """The earliest refusals that are asked for, by time, element and key. duckdb.Error: a file is gone."""
    zone = OperatorZone(manifest.zone)
    begin, end = (zone.local(at).replace(tzinfo=None) for at in (asked.since, asked.until))
    which, values = ["carried = ?", "refused_at >= ?", "refused_at < ?"], [asked.carried.value, begin, end]
    for name, names in (("operator", asked.operators), ("city", asked.cities)):
        if names:
            which.append(f"coalesce({name}, '') IN ({', '.join('?' * len(names))})")
            values += sorted(names)
    found = list[tuple[Any, ...]]()
    with closing(duckdb.connect(":memory:")) as db, plainly():
        for day in manifest.days_of(FileKind.REFUSALS):
            paths = [folder / path for path in manifest.paths(FileKind.REFUSALS, day=day)]
            if not begin.date() <= day <= end.date() or len(found) >= asked.limit:
                continue
            found += db.execute(
                f"SELECT {_READ} FROM {_with_places(db, paths)}"
                f" WHERE {' AND '.join(which)} ORDER BY refused_at, element, key LIMIT ?",
                [*values, asked.limit - len(found)],
            ).fetchall()
        return _refusals(db, folder, manifest, found)


_READ = "element, key, refused_at, carried, peer, reason, detail, operator, city, card"


def _with_places(db: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> str:
    """The source of files, those of before with an empty place."""
    source = parquet(paths, union=True)
    there = {row[0] for row in db.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    missing = [f"'' AS {name}" for name in _PLACE if name not in there]
    return f"(SELECT {', '.join(['*', *missing])} FROM {source})"


def _refusals(
    db: duckdb.DuckDBPyConnection, folder: Path, manifest: Manifest, found: Sequence[tuple[Any, ...]]
) -> list[Refusal]:
    hashed = sorted({key for row in found for key in (row[4], row[9]) if key is not None and key < 0})
    texts = dict[int, str]()
    if hashed:
        files = parquet(folder / path for path in manifest.paths(FileKind.TEXTS))
        among = ", ".join(map(str, hashed))
        texts = dict(db.execute(f"SELECT key, text FROM {files} WHERE key IN ({among})").fetchall())
    zone = OperatorZone(manifest.zone)

    def text(key: int | None) -> str:
        return "" if key is None else text_of(key) if key >= 0 else texts.get(key, "")

    return [
        Refusal(
            element,
            name,
            at.replace(tzinfo=zone.info).astimezone(UTC),
            Carried(carried),
            text(card),
            text(peer),
            RefusalReason(reason),
            detail,
            operator=operator or "",
            city=city or "",
        )
        for element, name, at, carried, peer, reason, detail, operator, city, card in found
    ]


def _row(one: Refusal, zone: OperatorZone) -> dict[str, object]:
    return {
        "card": key_of(one.card) if one.card else None,
        "refused_at": zone.local(one.at).replace(tzinfo=None),
        "peer": key_of(one.peer) if one.peer else None,
        "carried": one.carried.value,
        "reason": one.reason.value,
        "element": one.element,
        "key": one.key,
        "detail": one.detail,
        "operator": one.operator,
        "city": one.city,
    }
