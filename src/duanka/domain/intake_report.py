"""Result of intake: canonical Parquet files, and an account of every input record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from duanka.domain.delivery import FileIdentity
from duanka.domain.errors import LostRecords
from duanka.domain.text import BilingualText


@dataclass(frozen=True)
class FileAccount:
    """Counts of one delivered file: records in, used, quarantined.

    `duplicate_of`: the file with equal content that was read instead; this one counts nothing. `unreadable`: why
    (part of) the file could not be read, such as a truncated gzip. `devices_unknown`: IMEIs that identify no device,
    such as zeros. `notes`: other remarks for people, such as sheets of a workbook that are not read. `told_on`: day on
    which an earlier intake read the same content, and told what cannot be used of it.
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
    told_on: date | None = None


@dataclass(frozen=True)
class Intake:
    """Canonical records on disk.

    `tables`: table name -> Parquet files with exactly the canonical columns (missing ones are null), keyed ones as
    record keys. `texts`: Parquet files (key, text) of the hashed keys; rows may repeat. `columns`: table name ->
    columns with at least one value, to check what a rule needs. `ignored`: file -> source columns without a mapping.
    `waiting`: files that are not read yet, for their markers are missing.
    `idle`: sources of the mapping that match no file or take no row, in words. `delivered`: all files of the delivery,
    None if it is not taken into a store; `taken_before`: how many of them an earlier intake took in, so that `files`
    does not name them.
    """

    tables: Mapping[str, tuple[Path, ...]]
    columns: Mapping[str, frozenset[str]]
    files: tuple[FileAccount, ...]
    quarantine: Path
    ignored: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    idle: tuple[BilingualText, ...] = ()
    texts: tuple[Path, ...] = ()
    delivered: tuple[FileIdentity, ...] | None = None
    taken_before: int = 0
    waiting: tuple[str, ...] = ()

    def check_nothing_lost(self) -> None:
        """Raise LostRecords unless each record was either used or quarantined."""
        for file in self.files:
            if file.records != file.used + file.quarantined:
                raise LostRecords(
                    f"{file.file}: {file.records} records came in, {file.used} are used and {file.quarantined}"
                    " quarantined: the rest is lost, which is a defect; please report it with the file's first lines"
                )

    @property
    def records(self) -> int:
        """Number of input records of all tables."""
        return sum(f.records for f in self.files)

    @property
    def devices_unknown(self) -> int:
        """Number of IMEIs that identify no device."""
        return sum(f.devices_unknown for f in self.files)

    @property
    def quarantined(self) -> int:
        """Number of quarantined records."""
        return sum(f.quarantined for f in self.files)

    def may_go(self) -> tuple[FileIdentity, ...]:
        """The delivered files that no later intake needs: taken in, and not read each time."""
        refused = self.refused
        return tuple(file for file in self.delivered or () if not file.again and file.name not in refused)

    @property
    def refused(self) -> frozenset[str]:
        """Names of the files of which nothing could be used, and of their copies."""
        read = {file.file for file in self.files if file.records and not file.used}
        return frozenset(file.file for file in self.files if file.file in read or file.duplicate_of in read)

    @property
    def news(self) -> tuple[FileAccount, ...]:
        """The files that no earlier intake told of."""
        return tuple(file for file in self.files if file.told_on is None)

    @property
    def cut_off(self) -> bool:
        """Whether a file that was not told of before cannot be read to its end."""
        return any(file.unreadable for file in self.news)

    def bad_share(self, late: int = 0) -> float:
        """Share (0 to 1) of the records that cannot be used, `late` more among them; files told of before aside."""
        records = sum(file.records for file in self.news)
        return (sum(file.quarantined for file in self.news) + late) / records if records else 0.0

    @property
    def used(self) -> int:
        """Number of records that rules see."""
        return sum(f.used for f in self.files)
