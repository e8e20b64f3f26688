"""Sealed list of cards that passed, for scans: a JSON line per card, then a seal over all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from duanka.domain.errors import DuankaError, MissingKey, UnreadableInput
from duanka.domain.local_time import OperatorZone
from duanka.domain.sealing import Sealer, encoded, run_of

PURPOSE = "passes"  # purpose of the key that seals the file


@dataclass(frozen=True)
class Pass:
    """The latest time the holder of a card passed. `passed_at`: aware."""

    card: str
    passed_at: datetime


class Passes(Protocol):
    """Source of passes for a live run."""

    def version(self) -> object:
        """Return a value that differs after every change; cheap."""

    def read(self) -> Mapping[str, datetime]:
        """Return card -> latest pass, naive local time like that of records."""


def listed(passes: Iterable[Pass], key: bytes) -> bytes:
    """Return the content of a pass list, sealed with this installation's key."""
    lines = [encoded({"card": one.card, "passed_at": one.passed_at.isoformat()}) for one in passes]
    body = b"".join(lines)
    end = {"seq": len(lines), "sha256": hashlib.sha256(body).hexdigest()}
    return body + Sealer(key).line(end)


def read_list(file: bytes, key: bytes, where: str) -> list[Pass]:
    """Parse the content of a pass list; DuankaError if its seal is not this installation's."""
    cut = file.rstrip(b"\r\n").rfind(b"\n") + 1
    body, end = file[:cut], file[cut:]
    facts: Any = json.loads(end) if run_of(key, end) else {}
    if facts.get("sha256") != hashlib.sha256(body).hexdigest():
        raise DuankaError(
            f"{where}: the list of passes does not bear the seal of this installation; write it anew with"
            " `duanka orders passes --export FILE`"
        )
    rows: Iterable[Any] = map(json.loads, body.splitlines())
    return [Pass(row["card"], datetime.fromisoformat(row["passed_at"])) for row in rows]


class PassFile:
    """Passes in the file at `path`, for records with times local to `zone`.

    `key`: verifies the seal; None: no secret is configured. `required`: a missing file is an error, not an empty
    list.
    """

    def __init__(self, path: Path, key: bytes | None, zone: OperatorZone, *, required: bool = False) -> None:
        self._path, self._key, self._zone, self._required = path, key, zone, required

    def version(self) -> object:
        """Return a value that differs after every change of the file."""
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def read(self) -> Mapping[str, datetime]:
        """Return card -> latest pass, local. UnreadableInput: no file; MissingKey; DuankaError: bad seal."""
        try:
            file = self._path.read_bytes()
        except FileNotFoundError:
            if self._required:
                raise UnreadableInput(
                    f"{self._path}: no such file; DUANKA_PASSES names the list of passes"
                ) from None
            return {}
        except OSError as error:
            raise UnreadableInput(f"{self._path}: cannot be read ({error.strerror})") from None
        if self._key is None:
            raise MissingKey(
                f"{self._path} bears a seal, and there is no secret here to check it with: set DUANKA_SECRET_FILE"
            )
        passes = read_list(file, self._key, str(self._path))
        return {one.card: self._zone.local(one.passed_at).replace(tzinfo=None) for one in passes}
