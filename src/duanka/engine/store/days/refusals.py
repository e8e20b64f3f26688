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
from duanka.domain.network import Carried, Refusal, RefusalReason
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
    ]
)

_FACTS = ", ".join(_SCHEMA.names)


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
    known = f" ANTI JOIN {draft.source(there)} AS o USING (element, key)" if there else ""
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
                f"SELECT element, key, refused_at, carried, peer, reason, detail FROM {parquet(paths)}"
                " WHERE card = ? ORDER BY refused_at DESC, element, key LIMIT ?",
                [key, limit - len(found)],
            ).fetchall()
            if len(found) >= limit:
                break
        hashed = sorted({row[4] for row in found if row[4] is not None and row[4] < 0})
        texts = dict[int, str]()
        if hashed:
            files = parquet(folder / path for path in manifest.paths(FileKind.TEXTS))
            among = ", ".join(map(str, hashed))
            texts = dict(db.execute(f"SELECT key, text FROM {files} WHERE key IN ({among})").fetchall())
    zone = OperatorZone(manifest.zone)
    return [
        Refusal(
            element,
            name,
            at.replace(tzinfo=zone.info).astimezone(UTC),
            Carried(carried),
            card,
            "" if peer is None else text_of(peer) if peer >= 0 else texts.get(peer, ""),
            RefusalReason(reason),
            detail,
        )
        for element, name, at, carried, peer, reason, detail in found
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
    }
