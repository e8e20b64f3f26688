"""Deliveries for tests: small directories in the native format, and what intake made of them."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from duanka.domain.intake_report import Intake
from duanka.ingest import read_mapping, take_in
from duanka.ingest.model.mapping import Mapping as RecordMapping
from duanka.ingest.storage.key_columns import with_texts
from support import ROOT

CARDS = "card,kind\n8613800138000,voice\n"
CALLS = "card,peer,direction,started_at,seconds\n"
CALL = "8613800138000,8613900139000,out,2021-05-17 09:30:00,61\n"
KEY = b"a key for tests"


def delivered(folder: Path, files: Mapping[str, str | bytes | pl.DataFrame]) -> Path:
    """Write `files` below `folder`/data: text and bytes as they are (gzip when named so), frames as Parquet."""
    data = folder / "data"
    for name, content in files.items():
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pl.DataFrame):
            content.write_parquet(path)
            continue
        octets = content.encode() if isinstance(content, str) else content
        path.write_bytes(
            gzip.compress(octets) if name.endswith(".gz") and isinstance(content, str) else octets
        )
    return data


def taken(folder: Path, files: Mapping[str, str | bytes | pl.DataFrame], **options: Any) -> Intake:
    """Deliver `files` and take them in; without cards among them, one card is added to native ones."""
    if "mapping" not in options and not any(name.startswith("cards") for name in files):
        files = {"cards.csv": CARDS, **files}
    return take_in(delivered(folder, files), folder / "out", **options)


def table(intake: Intake, name: str) -> pl.DataFrame:
    """Return all canonical rows of a table."""
    rows = pl.concat([pl.read_parquet(path) for path in intake.tables[name]])
    return with_texts(name, rows, pl.scan_parquet(list(intake.texts)) if intake.texts else None)


def quarantined(intake: Intake) -> list[tuple[int | None, str, str]]:
    """Return line, column and reason of what was set aside, sorted by file and line."""
    frame = pl.read_parquet(intake.quarantine).sort("file", "line", nulls_last=True)
    return list(frame.select("line", "column", "reason").iter_rows())


def reasons(intake: Intake) -> list[str]:
    """Return the reasons of what was set aside, sorted by file and line."""
    return [reason for _, _, reason in quarantined(intake)]


def mapping(folder: Path, text: str) -> RecordMapping:
    """Read `text` as a mapping file."""
    path = folder / "mapping.toml"
    path.write_text(text, "utf-8")
    return read_mapping(path)


def shipped(name: str) -> RecordMapping:
    """Read one of the mappings that come with Duanka."""
    return read_mapping(ROOT / "mappings" / f"{name}.toml")
