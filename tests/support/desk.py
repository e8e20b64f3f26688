"""The desk's command, typed as a person types it, and its output read back."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import pyarrow.parquet as pq

from support import prepared
from support.prepared import Running

# Tests read English, whatever the machine's locale; where none says so, tables are in the operator's language: Chinese.
ENGLISH = {"LC_ALL": "", "LC_MESSAGES": "en_US.UTF-8"}
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "COLUMNS": "200", "PYTHONUTF8": "1", **ENGLISH}
_HANG = 600  # seconds
prepare = prepared.POSSIBLE  # else each command is run by a new Python, as `--new-processes` wants it
_PROGRESS = re.compile(
    r"^.* \(\d+ s\)\n", re.MULTILINE
)  # comes every ten seconds: only a busy machine shows it


@dataclass(frozen=True)
class Typed:
    """What a command printed and how it ended; `err` without the lines of progress."""

    code: int
    out: str
    err: str


def duanka(*words: str | Path, cwd: Path | None = None, **environment: str) -> Typed:
    """Run `duanka WORDS` in a process of its own, which need not import anything (`support.prepared`)."""
    return _typed(words, cwd, environment)


def new_duanka(*words: str | Path, cwd: Path | None = None, **environment: str) -> Typed:
    """As `duanka`, by a new Python, as a person starts it: where the start or the order of sets is in question."""
    return _typed(words, cwd, environment, anew=True)


def _typed(
    words: Sequence[str | Path], cwd: Path | None, environment: dict[str, str], *, anew: bool = False
) -> Typed:
    with TemporaryFile() as out, TemporaryFile() as err:
        run = _started(words, cwd, out, err, environment, anew=anew)
        try:
            code = run.wait(_HANG)
        finally:
            run.kill()
        for file in (out, err):
            file.seek(0)
        printed, said = (file.read().decode() for file in (out, err))
    return Typed(code, printed, without_progress(said))


def without_progress(said: str) -> str:
    """Error output without the lines of progress."""
    return _PROGRESS.sub("", said)


def started(
    *words: str | Path, cwd: Path | None = None, out: IO[Any], err: IO[Any], **environment: str
) -> Running:
    """Start `duanka WORDS` as `duanka` does, with these two for its output."""
    return _started(words, cwd, out, err, environment)


def started_anew(
    *words: str | Path, cwd: Path | None = None, out: IO[Any], err: IO[Any], **environment: str
) -> Running:
    """As `started`, by a new Python."""
    return _started(words, cwd, out, err, environment, anew=True)


def _started(
    words: Sequence[str | Path],
    cwd: Path | None,
    out: IO[Any],
    err: IO[Any],
    environment: dict[str, str],
    *,
    anew: bool = False,
) -> Running:
    at_start = any(name.startswith("PYTHON") for name in environment)  # a Python that runs does not read them
    typed, variables = [*map(str, words)], _ENVIRONMENT | environment
    if prepare and not anew and not at_start:
        return prepared.prepared_process().start(typed, cwd, variables, out.fileno(), err.fileno())
    command = [sys.executable, "-m", "duanka.cli.main", *typed]
    return subprocess.Popen(command, cwd=cwd, env=variables, stdout=out, stderr=err)


def cards_at_risk(out: Path) -> list[dict[str, str]]:
    """The rows of cards_at_risk.csv."""
    with (out / "cards_at_risk.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def printed_by_scan(out: Path) -> Path:
    """The file in which a fixture keeps what its scan into `out` printed."""
    return out.with_name(f"{out.name}.printed")


def hits(out: Path) -> list[dict[str, object]]:
    """The rows of hits.parquet."""
    rows: list[dict[str, object]] = pq.read_table(out / "hits.parquet").to_pylist()
    return rows


def flagged(out: Path, rule: str) -> set[str]:
    """The cards that `rule` hit."""
    return {str(row["card"]) for row in hits(out) if row["rule"] == rule}
