"""Who passed the second verification: the sealed file by which the order book tells it to scans and live runs.

A line of JSON for each card, and behind them a sealed one with the SHA-256 of all that is before it.
"""

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

PURPOSE = "passes"  # of the key that seals the file


@dataclass(frozen=True)
class Pass:
    """The last time that the holder of a card passed. `passed_at`: aware."""

    card: str
    passed_at: datetime


class Passes(Protocol):
    """Where a live run looks up who passed."""

    def version(self) -> object:
        """Another one after every change; cheap to ask."""

    def read(self) -> Mapping[str, datetime]:
        """Card -> when its holder last passed, naive, as records say it."""


def listed(passes: Iterable[Pass], key: bytes) -> bytes:
    """The file of these passes, sealed with the installation's key for that."""
    lines = [encoded({"card": one.card, "passed_at": one.passed_at.isoformat()}) for one in passes]
    body = b"".join(lines)
    end = {"seq": len(lines), "sha256": hashlib.sha256(body).hexdigest()}
    return body + Sealer(key).line(end)


def read_list(file: bytes, key: bytes, where: str) -> list[Pass]:
    """The passes in such a file; DuankaError where it does not bear the seal of this installation."""
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
    """The file of passes at `path`, for records whose times are local to `zone`.

    `key`: of its seal; None: there is no secret here. `required`: that it is missing is an error, and no empty list.
    """

    def __init__(self, path: Path, key: bytes | None, zone: OperatorZone, *, required: bool = False) -> None:
        self._path, self._key, self._zone, self._required = path, key, zone, required

    def version(self) -> object:
        """Another one after every change of the file."""
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def read(self) -> Mapping[str, datetime]:
        """Card -> when its holder last passed, naive and local to the zone.

        UnreadableInput: it is missing; MissingKey: no secret is here; DuankaError: the seal does not hold.
        """
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
