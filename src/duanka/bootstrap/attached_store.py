"""The store of records that an order database answers lookups from.

Lookups stand in the audit trail of the order database that a store is attached to. So a store answers only there: a
copy of its folder beside another order database, whose trail nobody reads, answers nothing.
"""

from __future__ import annotations

import hmac
import json
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from duanka.domain.errors import DuankaError
from duanka.domain.order import Person
from duanka.domain.private_files import write_private
from duanka.domain.record_lookups import LookupRefused, RecordLookups, StoreStatus

if TYPE_CHECKING:
    from duanka.engine.store.lookups import StoreLookups

MARK = "attached"  # file in the store's folder: who attached it, when, and the order database's seal
_HOW = "`duanka store attach STORE --why ...` by a supervisor attaches it"


class AttachedStore:
    """The store in `folder` (None: there is none), opened at the first lookup; usable by several threads.

    `key`: of the order database's seal. `threads`: of DuckDB; None: all cores.
    """

    def __init__(self, folder: Path | None, key: bytes, threads: int | None = None) -> None:
        self._folder, self._key, self._threads = folder, key, threads
        self._opened: StoreLookups | None = None
        self._lock = Lock()

    def at(self, folder: Path | None) -> AttachedStore:
        """The store in another folder, of the same order database; None: this one."""
        return self if folder is None else AttachedStore(folder, self._key, self._threads)

    @property
    def folder(self) -> Path:
        """The folder. LookupRefused: none is named."""
        if self._folder is None:
            raise LookupRefused(
                "no store is named: set DUANKA_STORE to the folder of the store (docs/STORE.md), or give --store"
            )
        return self._folder

    def lookups(self) -> RecordLookups:
        """The store, open for lookups. LookupRefused: there is none, or it is not attached. DuankaError: damaged."""
        folder = self.folder
        self._check(folder)
        with self._lock:
            if self._opened is None:
                from duanka.engine.store.lookups import StoreLookups  # noqa: PLC0415  # DuckDB takes 0.2 s

                self._opened = StoreLookups(folder, threads=self._threads)
            return self._opened

    def write_mark(self, by: Person, at: datetime) -> None:
        """Attach the store: leave the order database's seal in its folder. DuankaError: it cannot be written."""
        told = {"by": by.id, "at": at.isoformat()}
        content = json.dumps({**told, "seal": self._seal(told)}, indent=1)
        try:
            write_private(self.folder / MARK, content.encode())
        except OSError as error:
            raise DuankaError(
                f"{self.folder / MARK} cannot be written ({error.strerror}); act as the owner of the store"
            ) from error

    def close(self) -> None:
        """Release the open store."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _check(self, folder: Path) -> None:
        try:
            told = json.loads((folder / MARK).read_bytes())
            seal = str(told.pop("seal"))
        except FileNotFoundError:
            raise LookupRefused(
                f"the store {folder} is attached to no order database, so it answers no lookups: {_HOW}"
            ) from None
        except (OSError, ValueError, AttributeError, KeyError) as error:
            raise LookupRefused(f"{folder / MARK} cannot be read ({type(error).__name__}): {_HOW}") from None
        if not hmac.compare_digest(seal.encode(), self._seal(told).encode()):
            raise LookupRefused(
                f"the store {folder} is attached to another order database, whose trail tells its lookups: ask there,"
                f" or {_HOW}"
            )

    def _seal(self, told: object) -> str:
        return hmac.new(self._key, json.dumps(told, sort_keys=True).encode(), sha256).hexdigest()


def status_in(folder: Path | None) -> StoreStatus:
    """What the store in `folder` holds, for who may read the folder. DuankaError: none, damaged."""
    from duanka.engine.store.manifest import read_manifest  # noqa: PLC0415  # DuckDB takes 0.2 s
    from duanka.engine.store.status import status_of  # noqa: PLC0415

    return status_of(read_manifest(AttachedStore(folder, b"").folder))
