"""The desk's command, typed as a person types it, and its output read back."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

# Tests read English, whatever the machine's locale; where none says so, tables are in the operator's language: Chinese.
ENGLISH = {"LC_ALL": "", "LC_MESSAGES": "en_US.UTF-8"}


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
    """Run `duanka WORDS` in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-m", "duanka.cli.main", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", "PYTHONUTF8": "1", **ENGLISH, **environment},
        timeout=600,
        check=False,
    )
    return Typed(ran.returncode, ran.stdout, _PROGRESS.sub("", ran.stderr))


def cards_at_risk(out: Path) -> list[dict[str, str]]:
    """The rows of cards_at_risk.csv."""
    with (out / "cards_at_risk.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def hits(out: Path) -> list[dict[str, object]]:
    """The rows of hits.parquet."""
    rows: list[dict[str, object]] = pq.read_table(out / "hits.parquet").to_pylist()
    return rows


def flagged(out: Path, rule: str) -> set[str]:
    """The cards that `rule` hit."""
    return {str(row["card"]) for row in hits(out) if row["rule"] == rule}
