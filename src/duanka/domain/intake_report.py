"""What intake hands on: canonical Parquet by table, and an account of every record that came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from duanka.domain.text import BilingualText


@dataclass(frozen=True)
class FileAccount:
    """One delivered file: how many records came in, how many are used, how many quarantined.

    `duplicate_of` names the file of equal content that was read instead: nothing of this one is counted.
    `unreadable` says why (part of) the file could not be read, for example a truncated gzip. `devices_unknown`:
    IMEIs that stand for no device, such as those of zeros. `notes`: what else a person should know of it, such as the
    sheets of a workbook that are not read.
    """

    file: str
    table: str
    records: int
    used: int
    quarantined: int
    duplicate_of: str = ""
    unreadable: str = ""
    devices_unknown: int = 0
    notes: tuple[BilingualText, ...] = ()


@dataclass(frozen=True)
class Intake:
    """Canonical records on disk.

    `tables`: table name -> Parquet files with exactly the canonical columns (absent ones are null).
    `columns`: table name -> columns that hold at least one value; what a rule needs is asked of these.
    `ignored`: file -> columns of the source that nothing maps. `idle`: sources of the mapping that match no file or
    take no row, in words.
    """

    tables: Mapping[str, tuple[Path, ...]]
    columns: Mapping[str, frozenset[str]]
    files: tuple[FileAccount, ...]
    quarantine: Path
    ignored: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    idle: tuple[BilingualText, ...] = ()

    @property
    def records(self) -> int:
        """Records that came in, of every table."""
        return sum(f.records for f in self.files)

    @property
    def devices_unknown(self) -> int:
        """IMEIs that stand for no device."""
        return sum(f.devices_unknown for f in self.files)

    @property
    def quarantined(self) -> int:
        """Records that were set aside."""
        return sum(f.quarantined for f in self.files)

    @property
    def used(self) -> int:
        """Records that the rules see."""
        return sum(f.used for f in self.files)
