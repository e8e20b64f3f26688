"""A store in a folder: opened for reading by anybody who may, written by one process at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb

from duanka.domain.errors import MAKE_ROOM, DuankaError
from duanka.domain.local_time import DEFAULT_ZONE
from duanka.domain.network import Carried, RefusalReason
from duanka.domain.ports import Progress, Silent
from duanka.domain.private_files import private_file, private_folder
from duanka.engine.store.days.refusals import counted
from duanka.engine.store.manifest import (
    MANIFEST,
    FileKind,
    Manifest,
    damaged,
    is_store,
    missing,
    read_manifest,
    refuse_lost_manifest,
    spoilt_file,
    sync,
    write_manifest,
)
from duanka.engine.store.next_generation import WORK, NextGeneration
from duanka.engine.store.writing import StoreWriter

LIVE = "live"  # folder of what duanka live keeps in its store
_LOCK = "lock"
_UNFINISHED = f"{MANIFEST}.unfinished"
_NO_ROOM = (28, 27, 122)  # ENOSPC, EFBIG, EDQUOT


class StoreBusy(DuankaError):
    """Another process writes to the store."""


class RecordStore:
    """The store in `folder`. `memory`, `threads`: limits of the DuckDB of a writer; `zone`: of a new store."""

    def __init__(
        self, folder: Path, *, zone: str = DEFAULT_ZONE, memory: str = "600MB", threads: int | None = None
    ) -> None:
        self.folder = folder
        self._zone, self._memory, self._threads = zone, memory, threads

    def manifest(self) -> Manifest:
        """Read the manifest as last committed. DuankaError: no store, damaged, another version."""
        return read_manifest(self.folder)

    def refused(self, since: datetime, until: datetime) -> dict[tuple[Carried, RefusalReason], int]:
        """Count refused calls and messages by reason, from `since` until before `until` (local times)."""
        manifest = self.manifest()
        paths = [
            path
            for day in manifest.days_of(FileKind.REFUSALS)
            if since.date() <= day <= until.date()
            for path in manifest.paths(FileKind.REFUSALS, day=day)
        ]
        return counted(self.folder, paths, since, until)

    @contextmanager
    def writing(
        self, at: datetime, *, wait: bool = True, live: bool = False, progress: Progress | None = None
    ) -> Iterator[StoreWriter]:
        """Write as the only writer; the folder becomes a store if it is empty or missing.

        Nothing is in the store until `commit`. `at`: now, local time. While another process writes, wait for it
        (`progress` says so) or raise StoreBusy. DuankaError also: not a store, damaged, another version or zone,
        no room, or kept by duanka live without `live`.
        """
        if not live and (self.folder / LIVE).is_dir():
            raise StoreBusy(
                f"duanka live keeps the store in {self.folder}: go on with duanka live --store, or scan into another"
                " store"
            )
        with self.plainly(), self._locked(wait, progress or Silent()):
            manifest = self._begun()
            _sweep(self.folder, {*manifest.files, *manifest.replaced})
            draft = NextGeneration(self.folder, manifest, at, memory=self._memory, threads=self._threads)
            try:
                yield StoreWriter(draft, progress or Silent())
            finally:
                draft.close()

    @contextmanager
    def plainly(self) -> Iterator[None]:
        """Report what the disk refuses, and files that it spoilt, in one line."""
        try:
            yield
        except duckdb.Error as error:
            if spoilt := spoilt_file(str(error)):
                raise damaged(self.folder, spoilt) from error
            raise
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise DuankaError(f"{self.folder}: {error.strerror}{MAKE_ROOM}") from error
            raise DuankaError(
                f"cannot write to the store in {self.folder} ({error.strerror}); choose another folder with --store,"
                " or act as its owner"
            ) from error

    @contextmanager
    def _locked(self, wait: bool, progress: Progress) -> Iterator[None]:
        may_begin(self.folder)
        private_folder(self.folder)
        # the operating system releases the lock when the process ends, however it ends
        with private_file(self.folder / _LOCK).open("r+b") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if not wait:
                    raise StoreBusy(
                        f"another run writes to the store in {self.folder}; let it end, then do the same again"
                    ) from error
                progress.step("waiting for another run that writes to the store", 0)
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _begun(self) -> Manifest:
        """The manifest to go on from; of a new store the first one, which lists nothing."""
        if not is_store(self.folder):
            write_manifest(self.folder, Manifest(zone=self._zone))
            sync(self.folder.parent)
        manifest = read_manifest(self.folder)
        if manifest.zone != self._zone:
            raise DuankaError(
                f"the times in the store in {self.folder} are of {manifest.zone}, not of {self._zone}; begin a new"
                " store with --store FOLDER"
            )
        if lost := missing(self.folder, manifest.files):
            raise damaged(self.folder, lost)
        return manifest


def may_begin(folder: Path) -> None:
    """DuankaError for a file, or a folder with other content: a store sweeps what it does not list. None is made."""
    if not folder.exists() or is_store(folder):
        return
    if not folder.is_dir():
        raise DuankaError(f"{folder} is a file; choose a folder with --store")
    try:
        refuse_lost_manifest(folder)
        there = os.listdir(folder)
    except OSError:  # the first writing says why
        return
    if foreign := sorted(set(there) - {_LOCK, _UNFINISHED, LIVE}):
        raise DuankaError(
            f"{folder} is not empty and holds no store ({foreign[0]}); choose another folder with --store"
        )


def _sweep(folder: Path, listed: set[str]) -> None:
    """Delete what an interrupted writer left; only in folders that are a store's own."""
    (folder / _UNFINISHED).unlink(missing_ok=True)
    shutil.rmtree(folder / WORK, ignore_errors=True)
    for kind in FileKind:
        for root, _, names in os.walk(folder / kind, topdown=False):
            inside = Path(root)
            for name in names:
                if (inside / name).relative_to(folder).as_posix() not in listed:
                    (inside / name).unlink()
            if not os.listdir(inside):
                inside.rmdir()
