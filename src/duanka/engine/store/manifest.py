"""Manifest of a store, `store.json`: which files belong to it, and what they hold.

A file that the manifest does not list does not exist. It is replaced in one step, after the files that it lists are on
the disk, so a reader sees the store before a commit or after it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from duanka.domain.errors import DuankaError
from duanka.domain.local_time import DEFAULT_ZONE
from duanka.domain.private_files import put_in_place
from duanka.domain.record_lookups import NoStore

VERSION = 1
MANIFEST = "store.json"


class FileKind(StrEnum):
    """What a file of the store holds; also the name of its folder."""

    RECORDS = "records"
    REFUSALS = "refusals"
    REGISTERS = "registers"
    ROLLUPS = "rollups"
    LIFE = "life"
    TEXTS = "texts"
    HITS = "hits"


_PATH = rf"^({'|'.join(FileKind)})(/[a-z_]+)?(/[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})?/[0-9]+(-[0-9]+)?\.parquet$"
StoredPath = Annotated[str, Field(pattern=_PATH)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StoredFile(_Strict):
    """One file. `name`: its table or rollup, "" if the kind has only one. `day`: of its records, if by day.

    `written`: day of the commit that added its rows. `merged`: the rows of this partial rollup are in `life` too.
    """

    kind: FileKind
    name: str = ""
    day: date | None = None
    rows: int
    bytes: int
    written: date
    merged: bool = False


class KnownDelivery(_Strict):
    """A delivered file that was taken in. `digest`: of its content; `at`: when, local time.

    `stamp`: what the file system said of it; while that stays the same, its content need not be read.
    """

    name: str
    size: int
    digest: str
    at: datetime
    stamp: str = ""


class RepeatCounts(_Strict):
    """Records of a table that were not added: the store held them already, or their day was purged."""

    repeated: int = 0
    late: int = 0


class KeptDays(_Strict):
    """Days to keep, by kind, as of the last purge; None: never purged. `*_from`: nothing before it is kept."""

    records: int | None = None
    rollups: int | None = None
    refusals: int | None = None
    records_from: date | None = None
    rollups_from: date | None = None
    refusals_from: date | None = None


class Manifest(_Strict):
    """The whole manifest.

    `files`: path relative to the store -> file. `replaced`: files that the last commit took out of `files`; they are
    deleted by the next commit, so that readers have time. `unusable`: delivered files of which no record could be used,
    as of the last scan; `at`: when that was first told. `days`: record table -> day -> number of records, last
    event. `filled`: table -> columns with at least one value. `life`: rollup -> days whose partial rollups are merged
    in its file of kind LIFE. `judged`: rule -> what is known of its last judgement.
    """

    version: int = VERSION
    zone: str = DEFAULT_ZONE
    generation: int = 0
    committed_at: datetime | None = None
    files: dict[StoredPath, StoredFile] = {}
    replaced: set[StoredPath] = set()
    days: dict[str, dict[date, tuple[int, datetime]]] = {}
    filled: dict[str, set[str]] = {}
    delivered: list[KnownDelivery] = []
    unusable: list[KnownDelivery] = []
    not_added: dict[str, RepeatCounts] = {}
    kept: KeptDays = KeptDays()
    life: dict[str, set[date]] = {}
    judged: dict[str, dict[str, JsonValue]] = {}

    def copied(self) -> Manifest:
        """A copy that can be changed alone; a general deep copy takes far longer, the more so the more days."""
        return self.model_copy(
            update={
                "files": {path: file.model_copy() for path, file in self.files.items()},
                "replaced": set(self.replaced),
                "days": {table: dict(days) for table, days in self.days.items()},
                "filled": {table: set(columns) for table, columns in self.filled.items()},
                "delivered": list(self.delivered),
                "unusable": list(self.unusable),
                "not_added": {table: counts.model_copy() for table, counts in self.not_added.items()},
                "kept": self.kept.model_copy(),
                "life": {rollup: set(days) for rollup, days in self.life.items()},
                "judged": {rule: dict(told) for rule, told in self.judged.items()},
            }
        )

    def paths(self, kind: FileKind, name: str = "", day: date | None = None) -> list[str]:
        """Paths of the files of `kind` and `name`, by day and age; only of `day`, if given."""
        found = [
            (file.day or date.min, _age(path), path)
            for path, file in self.files.items()
            if file.kind is kind and file.name == name and (day is None or file.day == day)
        ]
        return [path for *_, path in sorted(found)]

    def held(self, table: str) -> dict[date, tuple[int, datetime]]:
        """The `days` of a record table whose records are still there, not their rollups alone."""
        there = set(self.days_of(FileKind.RECORDS, table))
        return {day: counts for day, counts in self.days.get(table, {}).items() if day in there}

    def days_of(self, kind: FileKind, name: str = "") -> list[date]:
        """Days with files of `kind` and `name`, in order."""
        return sorted(
            {f.day for f in self.files.values() if f.kind is kind and f.name == name and f.day is not None}
        )


def _age(path: str) -> tuple[int, ...]:
    return tuple(map(int, Path(path).stem.split("-")))


def is_store(folder: Path) -> bool:
    """Whether `folder` has a manifest."""
    return (folder / MANIFEST).is_file()


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of the store in `folder`. NoStore; DuankaError: damaged, another version."""
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        refuse_lost_manifest(folder)
        raise NoStore(_why_no_store(folder)) from error
    except OSError as error:
        raise DuankaError(
            f"{path} cannot be read: {error.strerror}; a store is read by the user who wrote it"
        ) from error
    told = _version_in(content)
    if told not in (None, VERSION):
        raise DuankaError(
            f"the store in {folder} is of version {told}, and this Duanka needs version {VERSION};"
            " use the Duanka that wrote it, or begin a new store with --store FOLDER"
        )
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise damaged(folder, MANIFEST) from error


def refuse_lost_manifest(folder: Path) -> None:
    """DuankaError: `folder` has all that a store has, but no manifest."""
    if all((folder / kind).is_dir() for kind in (FileKind.RECORDS, FileKind.ROLLUPS)):
        raise damaged(folder, f"{MANIFEST} is missing")


def _why_no_store(folder: Path) -> str:
    if folder.is_dir():
        return (
            f"{folder} holds no store ({MANIFEST} is missing): name the folder of the store on the command line or"
            " in DUANKA_STORE; duanka scan DATA --store FOLDER makes one in an empty or new folder"
        )
    if folder.exists():
        return f"{folder} is a file, no store: name the folder of the store on the command line or in DUANKA_STORE"
    return (
        f"there is no folder {folder}: name that of the store on the command line or in DUANKA_STORE; duanka scan DATA"
        " --store FOLDER makes a store"
    )


def damaged(folder: Path, file: str) -> DuankaError:
    """The error of a store of which `file` is damaged or missing."""
    return DuankaError(
        f"the store in {folder} is damaged ({file}); restore the folder from a backup, or begin a new store with"
        " --store FOLDER and scan the delivered files again"
    )


def spoilt_file(said: str) -> str | None:
    """The file of a store of which the database says that it cannot be read; None if it speaks of none."""
    found = re.search(rf"((?:{'|'.join(FileKind)})/[^'\" ]*\.parquet)", said)
    return found[1] if found else None


def _version_in(content: bytes) -> int | None:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return None
    version = said.get("version") if isinstance(said, dict) else None
    return version if isinstance(version, int) else None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest in one step, durably. OSError."""
    with put_in_place(folder / MANIFEST) as aside:
        aside.write_text(manifest.model_dump_json(exclude_defaults=False), encoding="utf-8")
        sync(aside)
    sync(folder)


def sync(*paths: Path) -> None:
    """Force files and folders to the disk. OSError."""
    for path in paths:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def missing(folder: Path, files: Mapping[str, StoredFile]) -> str | None:
    """The first of `files` that is not in `folder`, or has another size there; None if all are as written."""
    return next((path for path, file in files.items() if _size(folder / path) != file.bytes), None)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
