"""The files of a ring: ring.csv, devices.csv, outlets.csv. Columns are public and stable (docs/LINKS.md)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from duanka.domain.display import spreadsheet_cell
from duanka.domain.private_files import private_folder, put_in_place
from duanka.domain.text import Language
from duanka.links.ring.ring import Ring

RING, DEVICES, OUTLETS = "ring.csv", "devices.csv", "outlets.csv"
RING_COLUMNS = ("card", "role", "site", "certainty", "reasons")
DEVICE_COLUMNS = ("imei", "cards", "site", "role")
OUTLET_COLUMNS = ("outlet", "cards", "expected", "lift", "lower_bound", "reasons")
_BOM = "\ufeff"  # so that spreadsheets detect UTF-8


def write_ring(ring: Ring, folder: Path, language: Language) -> None:
    """Write the files of `ring` to `folder`, readable by their owner only. OSError."""
    private_folder(folder)
    _write(
        folder / RING,
        RING_COLUMNS,
        ring.cards.select("card", "role", "site", "certainty", f"reason_{language}").rows(),
    )
    _write(folder / DEVICES, DEVICE_COLUMNS, ring.devices.select(DEVICE_COLUMNS).rows())
    _write(
        folder / OUTLETS,
        OUTLET_COLUMNS,
        ring.outlets.select(*OUTLET_COLUMNS[:-1], f"reason_{language}").rows(),
    )


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with put_in_place(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        file.write(_BOM)
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([spreadsheet_cell(str(value)) for value in row] for row in rows)
