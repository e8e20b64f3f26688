"""Seals: a keyed hash that only this installation can write, so that what it wrote is known again.

A sealed line says of which run it is and which number it has there. Moved to another file, to another place in it, to
another installation, changed in a letter or taken twice, it is not what it says.
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


def derived(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose, so that one that leaks opens nothing else."""
    return hmac.new(secret, f"duanka {purpose}".encode(), hashlib.sha256).digest()


def new_run() -> str:
    """An id that no other run has."""
    return secrets.token_hex(8)


class Sealer:
    """Seals lines of JSON of one run. `key`: for this purpose alone."""

    def __init__(self, key: bytes, run: str | None = None) -> None:
        self._key, self.run = key, run or new_run()

    def line(self, facts: Mapping[str, object]) -> bytes:
        """The line of these facts, with the run and the seal; `facts` has a `seq`."""
        body = encoded({**facts, "run": self.run})[:-2]  # without } and the end of line
        return body + _SEAL + _mac(self._key, body).encode() + b'"}\n'


def run_of(key: bytes, line: bytes) -> str | None:
    """The run that sealed this line with this key; None: nobody did."""
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
    """A line of JSON; a text that is no UTF-8 comes as lone surrogates, and must not end the run."""
    return f"{json.dumps(line, ensure_ascii=False, allow_nan=False)}\n".encode(errors="replace")


def _mac(key: bytes, body: bytes) -> str:
    return hmac.new(key, body, hashlib.sha256).hexdigest()
