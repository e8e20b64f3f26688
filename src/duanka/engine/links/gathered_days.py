"""What was gathered of each day, kept beside the graph: the next night reads only the days that changed.

The folder holds the sums of the period by ranges of cards, what each day adds to them, the minutes of each day in which
cards were switched together, and days.json, which is written last and names the files of the store that all this is
made of. Days that left the store, or whose files changed, are taken out again by what is kept of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import blake2b
from pathlib import Path

from duanka.domain.checksums import checksum
from duanka.domain.private_files import copied, private_folder
from duanka.domain.text import BilingualText
from duanka.engine.links.period_sums import PeriodSums, words_of
from duanka.engine.links.source import LinkSource
from duanka.engine.shared.duckdb_database import parquet, quoted

VERSION = 3  # of the files
SUMMED = ("card_days", "card_peers", "card_places")
COMPARED = ("card_places", "sightings")  # what minutes of switching are found in
ROWS_PER_RANGE = 8_000_000  # rows of card_peers of a range of cards, merged at once, about 1 GB
GROWN = 2  # times as many rows, from which on the ranges are chosen anew
_TOLD, _MINUTES = "days.json", "switched.parquet"

FIRST = BilingualText("首次建立", "the first build")
UNUSABLE = BilingualText("上次保留的内容已损坏或版本不同", "what was kept is damaged or of another version")
OTHER = BilingualText("另一个记录库，或时段不同", "another store, or another period")
LARGER = BilingualText("记录增长，需重新分段", "the records have outgrown the ranges they are merged by")

Bounds = tuple[int, int]
_Files = dict[str, list[list[object]]]  # rollup or table -> path, bytes, time of each file


def method_of(*told: object) -> str:
    """A digest of statements and limits by which something is gathered."""
    return blake2b("\n".join(map(str, told)).encode(), digest_size=8).hexdigest()


class GatheredDays:
    """What is kept in `folder` of the days of `source`.

    `before`: the folder of last time, None where it cannot be used; `why`: the reason for that. `came`, `went`,
    `stayed`: days whose partial rollups are added to the sums of before, taken away, left as they are. `compared`: days
    whose minutes are known already. `method`: of what is gathered; what was gathered otherwise is not used.
    """

    def __init__(
        self, source: LinkSource, folder: Path, before: Path | None = None, method: str = ""
    ) -> None:
        now = {day: _files(source, day) for day in source.days}
        told = _read(before, method) if before else None
        self._method = method
        self.why = _why_whole(source, before, told, now)
        self._source, self.folder, self.before = source, folder, None if self.why else before
        self._now: Mapping[date, _Files] = now
        self._then: Mapping[date, _Files] = {}
        self._checked: Mapping[str, int] = {}
        self.bounds: Sequence[Bounds] = []
        if self.before and told:
            self._then, self.bounds, self._checked = told.days, told.bounds, told.checksums
        self.stayed = [day for day in now if _same(now, self._then, day, SUMMED)]
        self.came = [day for day in now if day not in self.stayed]
        self.went = [day for day in self._then if day not in self.stayed]
        self.compared = [day for day in now if _same(now, self._then, day, COMPARED)]
        self._link()

    @property
    def words(self) -> list[int]:
        """Words of days in the sums of this time."""
        return words_of(self._now)

    def merge(self, sums: PeriodSums, number: int, bounds: Bounds) -> None:
        """Write `sums` of a range of cards."""
        came = self._partials(sums.rollup, self.came, self.folder)
        into = _sums(self.folder, sums, number)
        if self.before is None:
            self.write(sums.of_days(came or f"(FROM {sums.rollup} LIMIT 0)", self.words, bounds), into)
            return
        went, kept = self._partials(sums.rollup, self.went, self.before), _sums(self.before, sums, number)
        if came or went:
            words = words_of(self._then), self.words
            self.write(sums.changed(parquet([kept]), came, went, words, bounds), into)
        else:
            _keep(kept, into)

    def summed(self, sums: PeriodSums, number: int | None = None) -> str:
        """SQL source of `sums`, of one range or of all."""
        numbers = range(len(self.bounds)) if number is None else [number]
        return parquet(_sums(self.folder, sums, one) for one in numbers)

    def write(self, select: str, path: Path) -> None:
        """Write the rows of a SELECT to a file of the folder."""
        self._source.run(f"COPY ({select}) TO {quoted(str(path))} (FORMAT parquet)")

    def minutes(self, day: date) -> Path:
        """File of the minutes of `day` in which cards were switched together."""
        return self.folder / str(day) / _MINUTES

    def finish(self) -> None:
        """Write down what the folder was made of; without that it is not used."""
        told = {
            "version": VERSION,
            "method": self._method,
            "zone": self._source.manifest.zone,
            "bounds": self.bounds,
            "days": {str(day): files for day, files in self._now.items()},
            "checksums": {
                name: self._checksum(name)
                for path in sorted(self.folder.rglob("*.parquet"))
                for name in [str(path.relative_to(self.folder))]
            },
        }
        (self.folder / _TOLD).write_text(json.dumps(told))

    def _checksum(self, name: str) -> int:
        """Of a file of the folder; one that was kept as it is has been read before."""
        path = self.folder / name
        if self.before and name in self._checked and path.samefile(self.before / name):
            return self._checked[name]
        return checksum(path)

    def _partials(self, rollup: str, days: Sequence[date], folder: Path) -> str | None:
        """SQL source of the partial rollups of `days` that are kept in `folder`."""
        paths = [path for day in days for path in sorted(folder.glob(f"{day}/{rollup}-*.parquet"))]
        return parquet(paths) if paths else None

    def _link(self) -> None:
        """Keep the partial rollups of each day, and its minutes if they are known; a file is kept once on a disk."""
        private_folder(self.folder)
        for day in self._now:
            inside = self.folder / str(day)
            private_folder(inside)
            if day in self.stayed and self.before:
                for path in (self.before / str(day)).glob("card_*.parquet"):
                    _keep(path, inside / path.name)
            else:
                for name in SUMMED:
                    for number, path in enumerate(self._source.files_of(name, day)):
                        _keep(path, inside / f"{name}-{number}.parquet")
            if day in self.compared and self.before:
                _keep(self.before / str(day) / _MINUTES, self.minutes(day))


class _KeptList:
    """What days.json in a folder says."""

    def __init__(self, folder: Path, method: str) -> None:
        told = json.loads((folder / _TOLD).read_text())
        if (told["version"], told["method"]) != (VERSION, method):
            raise ValueError
        self.zone = str(told["zone"])
        self.bounds: list[Bounds] = [(int(first), int(end)) for first, end in told["bounds"]]
        self.days: dict[date, _Files] = {
            date.fromisoformat(day): files for day, files in told["days"].items()
        }
        self.checksums: dict[str, int] = dict(told["checksums"])
        if any(checksum(folder / name) != found for name, found in self.checksums.items()):
            raise ValueError


def _read(folder: Path, method: str) -> _KeptList | None:
    try:
        return _KeptList(folder, method)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _why_whole(
    source: LinkSource, before: Path | None, told: _KeptList | None, now: Mapping[date, _Files]
) -> BilingualText | None:
    """The reason for which all days are to be read; None if what is kept can be used."""
    if before is None:
        return FIRST
    if told is None:
        return UNUSABLE
    stayed = sum(_same(now, told.days, day, SUMMED) for day in now)
    if told.zone != source.manifest.zone or len(now) + len(told.days) - 2 * stayed >= len(now):
        return OTHER  # to take away and add as many days as there are is more work than to begin anew
    return LARGER if rows_of(source) > GROWN * ROWS_PER_RANGE * len(told.bounds) else None


def _same(now: Mapping[date, _Files], then: Mapping[date, _Files], day: date, names: Sequence[str]) -> bool:
    return day in now and day in then and all(now[day][name] == then[day][name] for name in names)


def _files(source: LinkSource, day: date) -> _Files:
    """The files of the store that hold `day`; a file is written once, so its size and time tell it from others."""
    return {
        name: [
            [path.relative_to(source.folder).as_posix(), told.st_size, told.st_mtime_ns]
            for path in source.files_of(name, day)
            for told in [path.stat()]
        ]
        for name in dict.fromkeys((*SUMMED, *COMPARED))
    }


def rows_of(source: LinkSource) -> int:
    """Rows of card_peers, of which there are the most."""
    paths = (path for day in source.days for path in source.files_of("card_peers", day))
    return sum(source.manifest.files[path.relative_to(source.folder).as_posix()].rows for path in paths)


def _sums(folder: Path, sums: PeriodSums, number: int) -> Path:
    return folder / f"{sums.name}-{number}.parquet"


def _keep(path: Path, into: Path) -> None:
    try:
        os.link(path, into)
    except OSError:  # on another disk, or one without links
        copied(path, into)
