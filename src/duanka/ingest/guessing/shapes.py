"""Groups delivered files of the same format into shapes with patterns of names.

Files of Asterisk and FreeSWITCH without a header get their column names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from duanka.ingest.formats.csv_reader import CsvReading
from duanka.ingest.guessing.form import ASCII, WORKBOOK, FileForm, form_of

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_DIGITS = re.compile(r"[0-9]+(?:[-_T][0-9]+)*")
_MIN_SAMPLED_FILES, _MAX_SAMPLED_FILES = 3, 48  # more for small files, such as hourly ones
_ENOUGH_BYTES = 1 << 18
_SPECIAL = re.compile(r"([\[\]*?])")
_ASTERISK = (
    *(
        "accountcode",
        "src",
        "dst",
        "dcontext",
        "clid",
        "asterisk channel",
        "dstchannel",
        "lastapp",
        "lastdata",
    ),
    *("start", "answer", "end", "duration", "billsec", "disposition", "amaflags", "uniqueid", "userfield"),
)
_FREESWITCH = (
    *("caller_id_name", "caller_id_number", "destination_number", "context", "start_stamp", "answer_stamp"),
    *("end_stamp", "duration", "billsec", "hangup_cause", "uuid", "bleg_uuid", "accountcode", "read_codec"),
    *("write_codec", "sip_hangup_disposition", "ani"),
)
_DISPOSITIONS = "^(?:ANSWERED|NO ANSWER|BUSY|FAILED|CONGESTION)$"
_CAUSES = "^[A-Z][A-Z_]{3,}$"
_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"


@dataclass(frozen=True)
class DeliveredFile:
    """A file, with its path relative to the delivery, and its format."""

    path: Path
    name: str
    form: FileForm


@dataclass(frozen=True)
class Shape:
    """Files of one format; `patterns`: match these and no other delivered file."""

    files: tuple[DeliveredFile, ...]
    patterns: tuple[str, ...]
    form: FileForm

    @property
    def sample(self) -> tuple[DeliveredFile, ...]:
        """Evenly spread sample of the files: three, or more if they are small."""
        last = len(self.files) - 1
        size = self.files[last // 2].path.stat().st_size
        few = max(_MIN_SAMPLED_FILES, min(_MAX_SAMPLED_FILES, _ENOUGH_BYTES // max(size, 1)))
        places = range(last + 1) if last < few else (at * last // (few - 1) for at in range(few))
        return tuple(self.files[at] for at in dict.fromkeys(places))


def shapes_of(files: Sequence[tuple[Path, str]]) -> tuple[list[Shape], list[DeliveredFile]]:
    """Group `files` (path, name); return the shapes, and the unreadable files."""
    looked = [DeliveredFile(path, name, form_of(path)) for path, name in files]
    groups: dict[object, list[DeliveredFile]] = {}
    for file in looked:
        if not file.form.problem:
            groups.setdefault(_key(file), []).append(file)
    shapes: list[Shape] = []
    names = [file.name for file in looked]
    for alike in groups.values():
        for part in _by_encoding(alike):
            mine = {file.name for file in part}
            form = next((file.form for file in part if file.form.encoding != ASCII), part[0].form)
            shapes.append(
                Shape(tuple(part), _patterns(mine, names), replace(form, columns=part[0].form.columns))
            )
    return shapes, [file for file in looked if file.form.problem]


def _key(file: DeliveredFile) -> object:
    form = file.form
    if form.format not in ("csv", "parquet", WORKBOOK):
        return form.format
    columns = frozenset(form.columns) if form.header else len(form.columns)
    return _loose(file.name), form.format, form.delimiter, form.header, form.skip, form.twice, columns


def _by_encoding(files: Sequence[DeliveredFile]) -> list[list[DeliveredFile]]:
    """Split `files` by encoding; ASCII files join the first other encoding."""
    kinds = list(dict.fromkeys(file.form.encoding for file in files if file.form.encoding != ASCII))
    if len(kinds) <= 1:
        return [list(files)]
    first = [file for file in files if file.form.encoding in (ASCII, kinds[0])]
    return [first, *([file for file in files if file.form.encoding == kind] for kind in kinds[1:])]


def _loose(name: str) -> str:
    """Pattern of a name with `*` for digits, UUIDs and values in `key=value` folders."""
    parts = []
    for part in name.split("/")[:-1]:
        key, equals, _ = part.partition("=")
        parts.append(f"{_escaped(key)}=*" if equals else _stars(part))
    return "/".join([*parts, _stars(name.rpartition("/")[2])])


def _stars(part: str) -> str:
    starred = _DIGITS.sub("\0", _UUID.sub("\0", part))
    return re.sub("\0+", "*", _escaped(starred))


def _exact(name: str) -> str:
    """Pattern of a name with `[0-9]` for each digit."""
    return "".join("[0-9]" if letter.isdigit() and letter.isascii() else _escaped(letter) for letter in name)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"[\1]", text)


def _patterns(mine: set[str], everything: Sequence[str]) -> tuple[str, ...]:
    """Widest patterns that match all of `mine` and no other name."""
    for form in (_loose, _exact):
        patterns = sorted({form(name) for name in mine})
        if not any(
            fnmatchcase(name.lower(), pattern.lower())
            for name in everything
            if name not in mine
            for pattern in patterns
        ):
            return tuple(patterns)
    return tuple(sorted(_escaped(name) for name in mine))


def with_names(shape: Shape) -> Shape:
    """The shape, with column names if it is a switchboard's file without a header."""
    form = shape.form
    width = len(form.columns)
    if form.header or form.format != "csv":
        return shape
    for names, least, place, values, moment in (
        (_ASTERISK, 16, 14, _DISPOSITIONS, 9),
        (_FREESWITCH, 10, 9, _CAUSES, 4),
    ):
        if not least <= width <= len(names):
            continue
        reading = CsvReading(shape.files[0].path, form.layout)
        block = next(iter(reading.blocks([form.columns[place], form.columns[moment]])), None)
        if block is None or not block.frame.height:
            continue
        frame = block.frame.head(1000)
        told = frame[form.columns[place]].str.contains(values).fill_null(False)
        timed = frame[form.columns[moment]].str.contains(_MOMENT).fill_null(False)
        if int(told.sum()) >= 0.98 * frame.height and timed.all():
            return replace(shape, form=replace(form, columns=names[:width]))
    return shape
