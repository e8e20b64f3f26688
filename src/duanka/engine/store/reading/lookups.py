"""Lookups: the records of a card and the contacts of numbers, by SQL on the files of the days asked for.

Files of records are sorted by card and have a page index, so DuckDB reads a few pages of each. Footers stay in memory
while the database is open: the second question is the cheap one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import duckdb

from duanka.domain.card_facts import CardUse, RegisteredCard, UseKind
from duanka.domain.errors import DuankaError
from duanka.domain.linked_accounts import MOST_ACCOUNTS, LinkedAccount
from duanka.domain.record_keys import key_of, text_of
from duanka.domain.record_lookups import MOST_ROWS, CardRecord, Contact, LookupRefused, StoreStatus, Usage
from duanka.domain.schema import TABLES
from duanka.domain.takedown import ComplaintIndicator
from duanka.engine.shared.duckdb_database import parquet, plainly, quoted
from duanka.engine.store.columns import time_of, whole_register
from duanka.engine.store.manifest import MANIFEST, FileKind, Manifest, damaged, read_manifest
from duanka.engine.store.reading.card_use import REGISTER, use_query
from duanka.engine.store.reading.status import status_of

_COLUMNS = (  # of a row of `records_of`, behind table and time
    *("direction", "peer", "seconds", "answered", "bytes"),
    *("imei", "cell", "city", "forwarded_from"),
)
_TYPES = {"direction": "VARCHAR", "answered": "BOOLEAN", "city": "VARCHAR"}  # the others are integers
_KEYS = tuple(2 + _COLUMNS.index(name) for name in ("peer", "imei", "cell", "forwarded_from"))
_IMEI = 2 + _COLUMNS.index("imei")
_ORDER = f"ORDER BY moment, usage, {', '.join(_COLUMNS)}"  # all of them: an answer is read page by page
_WITH_PEER = (Usage.CALLS, Usage.MESSAGES)
_TICK = timedelta(microseconds=1)
_Found = TypeVar("_Found")


class StoreLookups:
    """The store in `folder`, open for reading; usable by several threads at once.

    `memory`, `threads`: limits of its DuckDB, which does not spill to the disk. Errors of each lookup: DuankaError for
    no store, one that is damaged or of another version, and LookupRefused.
    """

    def __init__(self, folder: Path, *, memory: str = "600MB", threads: int | None = None) -> None:
        self.folder = folder
        self._db = duckdb.connect(":memory:")
        settings = {"memory_limit": quoted(memory), "temp_directory": "''", "parquet_metadata_cache": "true"}
        if threads:
            settings["threads"] = str(threads)
        for name, value in settings.items():
            self._db.execute(f"SET GLOBAL {name} = {value}")
        self._lock = Lock()
        self._read: tuple[tuple[int, ...], Manifest] | None = None

    def close(self) -> None:
        """Release the database."""
        self._db.close()

    def status(self) -> StoreStatus:
        """What the store holds, from its manifest alone."""
        return status_of(self._manifest())

    def records_of(self, card: str, since: datetime, until: datetime) -> Sequence[CardRecord]:
        """All records of a card, in order of time."""
        return self._again(lambda manifest: self._records(manifest, card, since, until))

    def contacts_of(self, numbers: Collection[str], since: datetime, until: datetime) -> Sequence[Contact]:
        """Contacts of `numbers`: ours are found by card, all of them by peer."""
        return self._again(lambda manifest: self._contacts(manifest, numbers, since, until))

    def places_of(self, cards: Collection[str]) -> Mapping[str, tuple[str, str]]:
        """Operator and home city of cards in the register."""
        return self._again(lambda manifest: self._places(manifest, cards))

    def complained_of(self, cards: Collection[str]) -> frozenset[str]:
        """Which of these cards the records hold a complaint about."""
        return self._again(lambda manifest: self._complained_of(manifest, cards))

    def accounts_of(self, cards: Collection[str]) -> Sequence[LinkedAccount]:
        """Accounts of `cards`, by card and platform; of one account the earliest binding."""
        return self._again(lambda manifest: self._accounts(manifest, cards))

    def named_in_complaints(self) -> Sequence[ComplaintIndicator]:
        """What complaints name: hosts, numbers and accounts as reported, each with its count and times."""
        return self._again(self._in_complaints)

    def _accounts(self, manifest: Manifest, cards: Collection[str]) -> Sequence[LinkedAccount]:
        files = manifest.paths(FileKind.REGISTERS, "accounts")
        named = {key_of(card): card for card in cards}
        if not files or not named:
            return []
        rows = self._rows(
            f"SELECT card, platform, account, min(bound_at) FROM {self._source(files)}"
            f" WHERE card IN (SELECT unnest($keys)) GROUP BY ALL ORDER BY 1, 2, 3 LIMIT {MOST_ACCOUNTS + 1}",
            {"keys": list(named)},
        )
        if len(rows) > MOST_ACCOUNTS:
            raise LookupRefused(f"more than {MOST_ACCOUNTS:,} accounts; ask for fewer cards at once")
        known = self._texts(manifest, (row[0] for row in rows))
        return [LinkedAccount(named[key], *rest) for key, *rest in rows if _decode(key, known) == named[key]]

    def _in_complaints(self, manifest: Manifest) -> Sequence[ComplaintIndicator]:
        files = manifest.paths(FileKind.REGISTERS, "complaints")
        if not files or "indicator" not in manifest.filled.get("complaints", ()):
            return []
        source = whole_register("complaints", self._source(files))
        rows = self._rows(
            "SELECT indicator_kind, indicator, count(*), min(reported_at), max(reported_at)"
            f" FROM {source} WHERE indicator IS NOT NULL GROUP BY ALL ORDER BY ALL"
        )
        return [ComplaintIndicator(*row) for row in rows]

    def _complained_of(self, manifest: Manifest, cards: Collection[str]) -> frozenset[str]:
        files = manifest.paths(FileKind.REGISTERS, "complaints")
        named = {key_of(card): card for card in cards}
        if not files or not named:
            return frozenset()
        sql = f"SELECT DISTINCT card FROM {self._source(files)} WHERE card IN (SELECT unnest($keys))"
        rows = self._rows(sql, {"keys": list(named)})
        known = self._texts(manifest, (row[0] for row in rows))
        return frozenset(named[key] for (key,) in rows if _decode(key, known) == named[key])

    def registered(self, cards: Collection[str]) -> Sequence[RegisteredCard]:
        """The cards that are in the register, in order of their numbers."""
        return self._again(lambda manifest: self._registered(manifest, cards))

    def use_of(self, cards: Collection[str], since: datetime, until: datetime) -> Sequence[CardUse]:
        """Devices and places of cards, by card, the most used first."""
        return self._again(lambda manifest: self._use(manifest, cards, since, until))

    def _records(
        self, manifest: Manifest, card: str, since: datetime, until: datetime
    ) -> Sequence[CardRecord]:
        key = key_of(card)
        parts = [
            f"SELECT {quoted(usage)} AS usage, CAST({time_of(usage)} AS TIMESTAMP) AS moment, {_columns(usage)}"
            f" FROM {source} WHERE card = {key}{_within(usage, since, until)}"
            for usage, source in self._sources(manifest, Usage, since, until)
        ]
        if not parts or (key < 0 and self._texts(manifest, [key]).get(key) != card):
            return []
        rows = self._rows(f"{' UNION ALL '.join(parts)} {_ORDER} LIMIT {MOST_ROWS + 1}")
        if len(rows) > MOST_ROWS:
            raise LookupRefused(
                f"more than {MOST_ROWS:,} records; ask for fewer days with --days (HTTP: days), several times"
            )
        texts = self._texts(manifest, (row[at] for row in rows for at in _KEYS))
        return [CardRecord(Usage(row[0]), row[1], *_decoded(row, texts)) for row in rows]

    def _contacts(
        self, manifest: Manifest, numbers: Collection[str], since: datetime, until: datetime
    ) -> Sequence[Contact]:
        named = {key_of(number): number for number in numbers}
        known = self._texts(manifest, named)
        for key in [key for key in named if key < 0 and known.get(key) != named[key]]:
            del named[key]
        parts = list[str]()
        for usage, source in self._sources(manifest, _WITH_PEER, since, until):
            moment, when = time_of(usage), _within(usage, since, until)
            for number, other, out in (("card", "peer", "out"), ("peer", "card", "in")):
                parts.append(
                    f"SELECT {number} AS number, {other} AS other, {quoted(number)} AS side, {moment} AS moment,"
                    f" direction = {quoted(out)} AS out, {usage is Usage.CALLS} AS call FROM {source}"
                    f" WHERE {number} IN (SELECT unnest($keys)){when}"
                )
        if not parts or not named:
            return []
        rows = self._rows(_CONTACTS.format(" UNION ALL ".join(parts)), {"keys": list(named)})
        if len(rows) > MOST_ROWS:
            raise LookupRefused(
                f"more than {MOST_ROWS:,} contacts; ask for fewer numbers, or fewer hours with --hours (HTTP: hours)"
            )
        texts = self._texts(manifest, (row[1] for row in rows))
        return [Contact(named[row[0]], _decode(row[1], texts), *row[2:]) for row in rows]

    def _places(self, manifest: Manifest, cards: Collection[str]) -> Mapping[str, tuple[str, str]]:
        files = manifest.paths(FileKind.REGISTERS, "cards")
        named = {key_of(card): card for card in cards}
        if not files or not named:
            return {}
        rows = self._rows(
            "SELECT card, coalesce(operator, ''), coalesce(home_city, '')"
            f" FROM {self._source(files)} WHERE card IN (SELECT unnest($keys))",
            {"keys": list(named)},
        )
        known = self._texts(manifest, (row[0] for row in rows))
        return {
            named[key]: (operator, city) for key, operator, city in rows if _decode(key, known) == named[key]
        }

    def _registered(self, manifest: Manifest, cards: Collection[str]) -> Sequence[RegisteredCard]:
        files = manifest.paths(FileKind.REGISTERS, "cards")
        named = {key_of(card): card for card in cards}
        if not files or not named:
            return []
        rows = self._rows(REGISTER.format(self._source(files)), {"keys": list(named)})
        known = self._texts(manifest, (row[0] for row in rows))
        found = [
            RegisteredCard(named[key], *facts) for key, *facts in rows if _decode(key, known) == named[key]
        ]
        return sorted(found, key=lambda one: one.card)

    def _use(
        self, manifest: Manifest, cards: Collection[str], since: datetime, until: datetime
    ) -> Sequence[CardUse]:
        named = {key_of(card): card for card in cards}
        known = self._texts(manifest, named)
        keys = [key for key in named if key >= 0 or known.get(key) == named[key]]
        query = use_query(self._sources(manifest, Usage, since, until))
        if not query or not keys:
            return []
        rows = self._rows(query, {"keys": keys, "since": since, "until": until})
        if len(rows) > MOST_ROWS:
            raise LookupRefused(
                f"more than {MOST_ROWS:,} devices and places; ask for fewer cards, or fewer days"
            )
        texts = self._texts(manifest, (row[2] for row in rows))
        return [
            CardUse(
                named[card], UseKind(kind), _decode(value, texts, device=kind == UseKind.DEVICE) or "", *rest
            )
            for card, kind, value, *rest in rows
        ]

    def _texts(self, manifest: Manifest, keys: Iterable[int | None]) -> Mapping[int, str]:
        """Texts of the negative ones of `keys`."""
        wanted = sorted({key for key in keys if key is not None and key < 0})
        files = manifest.paths(FileKind.TEXTS)
        if not wanted or not files:
            return {}
        # a join would read all texts; as constants, minima and maxima of the row groups are compared first
        bounds = f"key BETWEEN {wanted[0]} AND {wanted[-1]}"
        found = self._rows(
            f"SELECT key, text FROM {self._source(files)} WHERE {bounds} AND key IN (SELECT unnest($keys))",
            {"keys": wanted},
        )
        return dict(found)

    def _sources(
        self, manifest: Manifest, usages: Iterable[Usage], since: datetime, until: datetime
    ) -> Iterator[tuple[Usage, str]]:
        """SQL source of each table that has files of the days from `since` until before `until`."""
        first, last = since.date(), (until - _TICK).date()
        for usage in usages:
            files = [
                path
                for path in manifest.paths(FileKind.RECORDS, usage)
                if (day := manifest.files[path].day) and first <= day <= last
            ]
            if files:
                yield usage, self._source(files)

    def _source(self, files: Iterable[str]) -> str:
        return parquet(self.folder / path for path in files)

    def _rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        with self._db.cursor() as cursor, plainly():
            try:
                return cursor.execute(sql, parameters).fetchall()
            except duckdb.IOException as error:
                raise damaged(self.folder, str(error).splitlines()[0]) from error

    def _again(self, look: Callable[[Manifest], _Found]) -> _Found:
        """Look, and once more if a writer has deleted a file meanwhile: two commits passed since the manifest."""
        with self._in_memory():
            manifest = self._manifest()
            try:
                return look(manifest)
            except (DuankaError, duckdb.Error):
                if self._manifest() is manifest:
                    raise
            return look(self._manifest())

    @contextmanager
    def _in_memory(self) -> Iterator[None]:
        try:
            yield
        except duckdb.OutOfMemoryException as error:
            raise LookupRefused(
                "the answer needs more memory than a lookup has; ask for fewer days, hours or numbers"
            ) from error
        except duckdb.Error as error:  # a file that is no Parquet, or misses a column
            raise damaged(self.folder, str(error).splitlines()[0]) from error

    def _manifest(self) -> Manifest:
        """The manifest as last committed, read again only if it changed."""
        try:
            found = os.stat(self.folder / MANIFEST)
        except OSError:
            return read_manifest(self.folder)
        mark = (found.st_ino, found.st_mtime_ns, found.st_size)
        with self._lock:
            if self._read is None or self._read[0] != mark:
                self._read = mark, read_manifest(self.folder)
            return self._read[1]


# A call between two own cards stands in the records of both: each side counts what it saw, and the larger counts.
_CONTACTS = f"""
WITH seen AS ({{}}),
sides AS (
  SELECT number, other, side,
    count(*) FILTER (call AND out) AS calls_out, count(*) FILTER (call AND NOT out) AS calls_in,
    count(*) FILTER (NOT call AND out) AS messages_out, count(*) FILTER (NOT call AND NOT out) AS messages_in,
    min(moment) AS first, max(moment) AS last
  FROM seen GROUP BY ALL
)
SELECT number, other, max(calls_out) AS co, max(calls_in) AS ci, max(messages_out) AS mo, max(messages_in) AS mi,
  min(first), max(last)
FROM sides GROUP BY number, other ORDER BY number, co + ci + mo + mi DESC, other NULLS LAST LIMIT {MOST_ROWS + 1}
"""


def _columns(usage: Usage) -> str:
    """Select list of `_COLUMNS`, with NULL for those that the table has not."""
    there = {column.name for column in TABLES[usage].columns}
    return ", ".join(
        name if name in there else f"CAST(NULL AS {_TYPES.get(name, 'BIGINT')}) AS {name}"
        for name in _COLUMNS
    )


def _within(usage: Usage, since: datetime, until: datetime) -> str:
    """SQL condition on the time, behind another; of data days, those of which the period has a part."""
    if usage is Usage.DATA_DAYS or since.time() == until.time() == time.min:
        return ""  # the files of the days have nothing else
    moment = time_of(usage)
    return f" AND {moment} >= TIMESTAMP '{since}' AND {moment} < TIMESTAMP '{until}'"


def _decoded(row: Sequence[Any], texts: Mapping[int, str]) -> list[Any]:
    """The values of `_COLUMNS` in a row, keys as texts."""
    return [
        _decode(value, texts, device=at == _IMEI) if at in _KEYS else value
        for at, value in enumerate(row[2:], start=2)
    ]


def _decode(key: int | None, texts: Mapping[int, str], *, device: bool = False) -> str | None:
    if key is None:
        return None
    if key >= 0:
        return text_of(key, device=device)
    try:
        return texts[key]
    except KeyError:
        raise LookupRefused(
            "the store lacks the text of a pseudonym (texts/): it is damaged; restore the folder from a backup, or scan"
            " the delivered files into a new one"
        ) from None
