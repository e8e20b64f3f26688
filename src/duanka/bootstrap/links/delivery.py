"""Tables that links deliver to the next scan: `rings`, and beside it `outlet_batches`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from duanka.bootstrap.outputs import files
from duanka.bootstrap.settings import Settings
from duanka.domain.errors import DuankaError
from duanka.domain.private_files import put_in_place
from duanka.engine.links.source import LinkSource
from duanka.links.ring import outlet_batches, register

BATCHES = "outlet_batches.parquet"
_RINGS = "SELECT number_text(card) AS card, ring, certainty, since FROM rings"
_BATCHES = "SELECT number_text(card) AS card, outlet, lift, together, since FROM outlet_batches"


@dataclass(frozen=True)
class LinkTables:
    """The tables `rings` and `outlet_batches`, card as text."""

    rings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=register.TABLE))
    batches: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=outlet_batches.TABLE))


def held_by(source: LinkSource) -> LinkTables:
    """What earlier deliveries brought into the store."""
    return LinkTables(
        pl.DataFrame(source.arrow(_RINGS)).cast(pl.Schema(register.TABLE)),
        pl.DataFrame(source.arrow(_BATCHES)).cast(pl.Schema(outlet_batches.TABLE)),
    )


def may_deliver(file: Path, settings: Settings) -> None:
    """DuankaError where the tables cannot be written to `file` and beside it, or are not read from there."""
    if file.suffix != ".parquet" or file.name == BATCHES:
        raise DuankaError(
            f"--deliver {file}: a table in Parquet is written; name it rings.parquet in the inbox"
        )
    if not file.parent.is_dir():
        raise DuankaError(f"--deliver {file}: there is no folder {file.parent}; name one that scans read")
    files.may_export(file, "--deliver", settings, earlier=files.RINGS)
    files.may_export(file.with_name(BATCHES), "--deliver", settings, earlier=files.OUTLET_BATCHES)


def deliver(tables: LinkTables, file: Path) -> None:
    """Write the rings to `file`, and the outlet batches beside it."""
    for table, path in ((tables.batches, file.with_name(BATCHES)), (tables.rings, file)):
        with put_in_place(path) as aside:
            table.write_parquet(aside)
