"""Seals: keyed hashes that prove this installation wrote a line.

A sealed line contains its run and its number in the run. So a line that was moved to another file, place or
installation, changed, or repeated is detected.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any

_SEAL = b', "seal": "'
_END = re.compile(rb', "seal": "([0-9a-f]{64})"}\r?\n?\Z')
_RUN = re.compile(r"[0-9a-f]{16}")
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False)  # made once: json.dumps makes one for each line


def derived(secret: bytes, purpose: str) -> bytes:
    """Derive a key for one purpose, so that a leaked one opens nothing else."""
    return hmac.new(secret, f"duanka {purpose}".encode(), hashlib.sha256).digest()


def new_run() -> str:
    """Return a unique id of a run."""
    return secrets.token_hex(8)


class Sealer:
    """Seals the JSON lines of one run. `key`: derived for this purpose."""

    def __init__(self, key: bytes, run: str | None = None) -> None:
        self._key, self.run = key, run or new_run()

    def line(self, facts: Mapping[str, object]) -> bytes:
        """Return the JSON line of `facts` with run and seal; `facts` must have a `seq`."""
        body = encoded({**facts, "run": self.run})[:-2]  # without } and the line end
        return body + _SEAL + _mac(self._key, body).encode() + b'"}\n'


def run_of(key: bytes, line: bytes) -> str | None:
    """Return the run that sealed this line with this key; None if the seal is wrong."""
    found = _END.search(line)
    if found is None:
        return None
    body = line[: found.start()]
    if not hmac.compare_digest(_mac(key, body), found[1].decode()):
        return None
    facts: Any = json.loads(body + b"}")
    run = facts.get("run") if isinstance(facts, dict) else None
    return run if isinstance(run, str) and _RUN.fullmatch(run) else None


def encoded(line: Mapping[str, object]) -> bytes:
    """Encode a JSON line; non-UTF-8 text (lone surrogates) must not raise."""
    return f"{_JSON.encode(line)}\n".encode(errors="replace")


def _mac(key: bytes, body: bytes) -> str:
    return hmac.digest(key, body, "sha256").hex()
