"""The files of a ring: ring.csv, devices.csv, outlets.csv. Columns are public and stable (docs/LINKS.md)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from duanka.domain.display import SPREADSHEET_MARK, spreadsheet_cell
from duanka.domain.text import Language
from duanka.links.ring.ring import Ring

RING_COLUMNS = ("card", "role", "site", "certainty", "reasons")
DEVICE_COLUMNS = ("imei", "cards", "site", "role", "reasons")
OUTLET_COLUMNS = ("outlet", "cards", "expected", "lift", "lower_bound", "reasons", "name")


def cards_csv(ring: Ring, language: Language) -> str:
    """The text of ring.csv."""
    columns = ("card", "role", "site", "certainty", f"reason_{language}")
    return _csv(RING_COLUMNS, ring.cards.select(columns).iter_rows())


def devices_csv(ring: Ring, language: Language) -> str:
    """The text of devices.csv."""
    columns = (*DEVICE_COLUMNS[:-1], f"reason_{language}")
    return _csv(DEVICE_COLUMNS, ring.devices.select(columns).iter_rows())


def outlets_csv(ring: Ring, language: Language) -> str:
    """The text of outlets.csv."""
    columns = (*OUTLET_COLUMNS[:-2], f"reason_{language}", "name")
    return _csv(OUTLET_COLUMNS, ring.outlets.select(columns).iter_rows())


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    written = StringIO()
    written.write(SPREADSHEET_MARK)
    writer = csv.writer(written)
    writer.writerow(columns)
    writer.writerows([spreadsheet_cell(str(value)) for value in row] for row in rows)
    return written.getvalue()
