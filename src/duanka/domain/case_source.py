"""Sources of police cases, and their sealed list: only a case that one of them signed can stop a card."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from duanka.domain.errors import DuankaError
from duanka.domain.sealing import Sealer, run_of

KEY_BYTES, SIGNATURE_BYTES = 32, 64
SIGNATURE_ENDING = ".sig"  # cases.csv -> cases.csv.sig, beside it


@dataclass(frozen=True)
class CaseSource:
    """A signer of case files. `public_key`: Ed25519, 32 bytes."""

    name: str
    public_key: bytes


def listed(sources: Iterable[CaseSource], key: bytes) -> bytes:
    """Return the file of these sources, sealed with this installation's key."""
    rows = [{"name": one.name, "public_key": one.public_key.hex()} for one in sources]
    return Sealer(key).line({"seq": 1, "sources": rows})


def read_list(file: bytes, key: bytes, where: str) -> tuple[CaseSource, ...]:
    """Parse a file made by `listed`; DuankaError if its seal is not this installation's."""
    if run_of(key, file) is None:
        raise DuankaError(
            f"{where}: the list of sources of police cases does not bear the seal of this installation; write it anew"
            " with `duanka keys sources --export FILE`"
        )
    rows: Any = json.loads(file)["sources"]
    return tuple(CaseSource(row["name"], bytes.fromhex(row["public_key"])) for row in rows)
