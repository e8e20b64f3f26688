"""Measured effects of alternative answers to the open questions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from duanka.specification.evidence import from_json

MEASURED = Path(__file__).with_name("measured.json")  # shipped; written by `duanka spec measure`


@dataclass(frozen=True)
class MeasuredRow:
    """A number of cards, split into fraud and honest by the simulation's labels."""

    what: str
    what_zh: str
    cards: int
    fraud: int
    honest: int


@dataclass(frozen=True)
class Measured:
    """Result of one command."""

    command: str
    rows: tuple[MeasuredRow, ...]


@dataclass(frozen=True)
class MeasuredFigures:
    """All measurements on one set of records. `date`: ISO 8601; `data`: their folder or command."""

    date: str
    version: str
    data: str
    cards: int
    measured: Mapping[str, Measured]  # command, as written in SPECIFICATION.md -> result


def write_figures(figures: MeasuredFigures, path: Path) -> None:
    """Write figures as JSON."""
    path.write_text(json.dumps(asdict(figures), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_figures(path: Path, *, named: bool) -> MeasuredFigures | None:
    """Read figures. Without a file: None, or UnreadableInput if the user `named` it."""
    if not named and not path.is_file():
        return None
    return from_json(MeasuredFigures, path, "figures", "`duanka spec measure` writes them")
