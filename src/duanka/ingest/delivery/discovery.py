"""Discovery of delivered files: tables that each feeds, and duplicate files."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from duanka.domain.case_source import SIGNATURE_ENDING
from duanka.domain.delivery import KnownFiles
from duanka.domain.display import display_name
from duanka.domain.errors import MappingError, NoRecords, UnreadableInput
from duanka.domain.schema import RECORD_TABLES, TABLES
from duanka.ingest.files.directory_walk import Unseen, walk
from duanka.ingest.files.open_file import NotRegular, is_file, kind_of, opened
from duanka.ingest.files.packed import PACKED_ENDINGS
from duanka.ingest.model.mapping import DATA_ENDINGS, Mapping, MappingSource

OUTPUT_FOLDER = "duanka-out"  # default output of `duanka scan`; never read as input
# Formats in which records are delivered but which cannot be read directly, with advice.
_OTHER_FORMS = {
    **{ending: f"unpack it, or let its name end in .csv{ending}" for ending in PACKED_ENDINGS},
    **dict.fromkeys((".lz4", ".lzma", ".z", ".7z", ".rar", ".tar", ".tgz", ".tbz2", ".txz"), "unpack it"),
    **dict.fromkeys((".xls", ".xlsm", ".xlsb", ".ods", ".et"), "save it as .xlsx or CSV"),
    **dict.fromkeys(
        (".json", ".jsonl", ".ndjson", ".tsv", ".avro", ".orc", ".pq"), "write it as CSV or Parquet"
    ),
}
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # in the name of a folder of Hive or Spark
_NOT_REGULAR = " (not a regular file)"
_MAX_NAMED_FILES = 3  # maximum number of files named in an error
# Endings of files that accompany records and hold none.
_NO_RECORDS = (
    *(SIGNATURE_ENDING, ".done", ".ok", ".md5", ".sha256"),
    *(".toml", ".md", ".html", ".pdf", ".doc", ".docx"),
)


@dataclass(frozen=True)
class Delivered:
    """One file to read; `duplicate_of`: an equal file that feeds the same tables.

    `taken_before`: an earlier intake took it in. `digest`: of its content, "" if nobody asked for it. `root`: see
    `FileSelection`.
    """

    path: Path
    name: str
    sources: tuple[MappingSource, ...]
    size: int
    duplicate_of: str = ""
    taken_before: bool = False
    digest: str = ""
    root: Path | None = None

    @property
    def table(self) -> str:
        """The tables it feeds, joined by `+`."""
        return "+".join(dict.fromkeys(source.table for source in self.sources))

    @property
    def is_read(self) -> bool:
        """Whether this intake reads it."""
        return not (self.duplicate_of or self.taken_before)


class FileSelection(Protocol):
    """Selects the files of a directory that are read now.

    `root`: the directory if others may write to it, so that no link in it is followed; None: links are followed.
    """

    root: Path | None

    def passes_over(self, below: str, name: str) -> bool:
        """Whether to ignore `name` in the folder `below` (`"a/b/"` or `""`)."""

    def waits(self, name: str) -> bool:
        """Whether `name`, a path below the directory, is not complete yet; asked of files of records, all found."""


class _All:
    """Selects all but hidden files and our own output."""

    root: Path | None = None

    def passes_over(self, below: str, name: str) -> bool:
        """Whether it is hidden or our output, at any depth."""
        del below
        return is_passed_over(name) or name == OUTPUT_FOLDER

    def waits(self, name: str) -> bool:
        """No file waits."""
        del name
        return False


def find(
    data: Path,
    out: Path,
    mapping: Mapping,
    known: KnownFiles | None = None,
    selection: FileSelection | None = None,
) -> tuple[list[Delivered], list[str]]:
    """Find the delivered files in `data` (a directory or one file).

    `known`: files that were taken in before, to be marked; with it, each file has a digest. `selection`: which files of
    a directory are read; None: all but hidden ones. Also returns the names of data files that no source takes. Raises
    NoRecords when there is nothing to read, MappingError when sources contradict each other about a file.
    """
    others: list[str] = []
    files: list[Delivered] = []
    selection = selection or _All()
    root = selection.root if data.is_dir() else None
    for path, name in _named(data, out, others, selection):
        sources, found = sources_of(name, mapping), _status(path, root)
        if sources:
            if not selection.waits(name):
                files.append(Delivered(path, display_name(name), sources, found.st_size, root=root))
        elif looks_like_records(name):
            others.append(display_name(name) + (_NOT_REGULAR if kind_of(found.st_mode) else advice(name)))
    if not known or (others and not files):  # a store has records of other nights
        _enough(data, files, others, mapping)
    if known is not None:
        files = [_known_or_not(file, known, mapping) for file in files]
    return _without_copies(files), others


def _named(data: Path, out: Path, others: list[str], selection: FileSelection) -> list[tuple[Path, str]]:
    """Files of `selection` at or below `data` with relative names, waiting ones too; no own output.

    Where no link is followed, what is no regular file is among them: opening it says what it is. Otherwise adds to
    `others` what is named like records but is no regular file; adds folders that cannot be listed. Raises
    UnreadableInput when `data` does not exist.
    """
    if not data.exists():
        raise UnreadableInput(f"{display_name(str(data))}: no such file or directory; check the path")
    if data.is_file():
        return [(data, data.name)]
    own = out.resolve()
    found: list[Path] = []

    def unseen(folder: Unseen) -> None:
        others.append(f"{display_name(folder.name)} ({folder.why})")

    for name, _ in walk(data, selection.passes_over, unseen):
        path = data / name
        if selection.root is None and not is_file(path):
            if looks_like_records(name):
                others.append(display_name(name) + _NOT_REGULAR)
        elif own not in _real(path, selection.root).parents:
            found.append(path)
    return [(path, path.relative_to(data).as_posix()) for path in sorted(found)]


def is_passed_over(name: str) -> bool:
    """Tell whether to ignore a name: hidden, or `~$`, lock file of an open workbook."""
    return name.startswith((".", "_", "~$"))


def delivered_files(data: Path) -> list[tuple[Path, str]]:
    """Files at or below `data` that may hold records, with their relative names.

    Raises UnreadableInput when `data` does not exist.
    """
    return [
        (path, name)
        for path, name in _named(data, data / OUTPUT_FOLDER, [], _All())
        if path == data or not name.lower().endswith(_NO_RECORDS)
    ]


def looks_like_records(name: str) -> bool:
    """Tell whether the file `name` may hold records; if so, report it when unused."""
    lowered = name.lower()
    if lowered.endswith(SIGNATURE_ENDING):  # read together with the file it signs
        return False
    parts = (part.split(".")[0] for part in lowered.split("/"))
    return lowered.endswith((*DATA_ENDINGS, *_OTHER_FORMS)) or any(part in TABLES for part in parts)


def advice(name: str) -> str:
    """Advice, in brackets, for a file of an unsupported format; "" if there is none."""
    lowered = name.lower()
    if lowered.endswith(DATA_ENDINGS):
        return ""
    return next((f" ({what})" for ending, what in _OTHER_FORMS.items() if lowered.endswith(ending)), "")


def why_not_taken(name: str, kind: int, mapping: Mapping) -> str:
    """Why no source takes the file `name`; "" if that is not to be reported.

    `kind`: file type, the mode of stat.
    """
    try:
        sources = sources_of(name, mapping)
    except MappingError as fault:  # concerns this file only
        return str(fault)
    if sources:
        return ""
    if looks_like_records(name):
        return f"no table takes this file{advice(name)}"
    return f"{kind_of(kind)} and no file" if stat.S_ISLNK(kind) else ""


def sources_of(name: str, mapping: Mapping) -> tuple[MappingSource, ...]:
    """The sources that take the file `name`, a path below the data directory.

    Raises MappingError if they contradict each other. In the native format the table is given by the first folder, or
    else the file name, that is the name of a table.
    """
    if mapping.strict:
        table = _native_table(name.lower().split("/"))
        return tuple(source for source in mapping.sources if source.table == table)
    lowered = name.lower()
    sources = tuple(
        source
        for source in mapping.sources
        if any(fnmatchcase(lowered, pattern.lower()) for pattern in source.files)
    )
    if any(source.layout != sources[0].layout for source in sources):
        raise MappingError(
            f"{mapping.name}: the sources that take {display_name(name)} disagree on its format, delimiter, "
            "encoding, header, columns, empty or sheet; say the same in each"
        )
    return sources


def _native_table(parts: Sequence[str]) -> str | None:
    *folders, name = parts
    for ending in DATA_ENDINGS:
        if name.endswith(ending):
            return next((part for part in (*folders, name.removesuffix(ending)) if part in TABLES), None)
    return None


def _enough(data: Path, files: Sequence[Delivered], others: Sequence[str], mapping: Mapping) -> None:
    found = {source.table for file in files for source in file.sources}
    where = display_name(str(data))
    more = ", …" if len(others) > _MAX_NAMED_FILES else ""
    unread = f"; not read: {', '.join(others[:_MAX_NAMED_FILES])}{more}" if others else ""
    if not mapping.strict:
        if not files:
            patterns = ", ".join(sorted({p for source in mapping.sources for p in source.files}))
            raise NoRecords(f"{where}: no file matches the mapping's {patterns}{unread}; check `files` in it")
        return
    if found & set(RECORD_TABLES):
        return
    if data.is_file():
        raise NoRecords(
            f"{where}{advice(data.name)}: its name does not say which records it holds; call it"
            f" {' or '.join(RECORD_TABLES)} (as .csv, "
            "packed .csv or .parquet), or describe your own files with --mapping FILE.toml, "
            "which `duanka mapping guess` proposes"
        )
    there = f"found {', '.join(sorted(found))}, but none" if found else "found none"
    raise NoRecords(
        f"{where}: {there} of {', '.join(RECORD_TABLES)} (as .parquet, .csv, packed .csv or a folder of "
        f"these){unread}; deliver them, or describe your own files with --mapping FILE.toml, "
        "which `duanka mapping guess` proposes"
    )


def _without_copies(files: Sequence[Delivered]) -> list[Delivered]:
    """Mark files that equal an earlier one; only files of equal size are compared."""
    alike: dict[tuple[int, str], list[Delivered]] = {}
    for file in files:
        alike.setdefault((file.size, _purpose(file)), []).append(file)
    first: dict[tuple[str, str], str] = {}
    marked: list[Delivered] = []
    for file in files:
        purpose = _purpose(file)
        # empty files are not duplicates of each other
        if len(alike[file.size, purpose]) > 1 and file.size:
            digest = file.digest or _digest(file)
            known = first.setdefault((digest, purpose), file.name)
            if digest and known != file.name:
                file = replace(file, duplicate_of=known)  # noqa: PLW2901
        marked.append(file)
    return marked


def _known_or_not(file: Delivered, known: KnownFiles, mapping: Mapping) -> Delivered:
    """`file` with its digest, marked if it was taken in before."""
    signature = Path(f"{file.path}{SIGNATURE_ENDING}")
    digest = known.digest_of(file.name, file.size, stamp_of(file.path, file.root))
    if digest is None or signature.exists():
        digest = _digest(file)
    # empty files have the same content, and each of them is told of
    before = bool(file.size) and digest in known and not is_read_each_time(file, mapping)
    return replace(file, digest=digest, taken_before=before)


def is_read_each_time(file: Delivered, mapping: Mapping) -> bool:
    """Whether a file is read again although it was taken in before.

    Police cases are, since a signature, or the key that it needs, may have come later; so is a register that other
    files need to identify cards by IMSI.
    """
    always = {"cases", "cards"} if mapping.asks_by_imsi else {"cases"}
    return bool(always & set(file.table.split("+")))


def _real(path: Path, root: Path | None) -> Path:
    return path.resolve() if root is None else path.parent.resolve() / path.name


def _status(path: Path, root: Path | None) -> os.stat_result:
    return path.stat() if root is None else path.lstat()


def stamp_of(path: Path, root: Path | None) -> str:
    """What changes with the content of a file, unless somebody sets it back: inode, time of change.

    `root`: see `FileSelection`; with one, the stamp of a link is its own.
    """
    found = _status(path, root)
    return f"{found.st_ino}-{found.st_mtime_ns}-{found.st_ctime_ns}"


def _purpose(file: Delivered) -> str:
    # Equal bytes are no duplicate when they are read differently (.parquet, .csv), when only one file is signed, or
    # when the folders give other columns.
    signed = os.path.exists(f"{file.path}{SIGNATURE_ENDING}")  # False if the name is too long
    folders = sorted(folder_columns(file.name).items(), key=str)
    return f"{file.table} {file.path.suffix.lower()} {signed} {folders}"


def _digest(file: Delivered) -> str:
    """Digest of the content; "" if it cannot be read, which is told when the file's turn to be read comes."""
    try:
        with opened(file.path, file.root) as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except NotRegular:
        if file.root is None:
            return ""
        # never read, only told of: once, until another one is in its place
        return hashlib.sha256(f"{file.name} {stamp_of(file.path, file.root)}".encode()).hexdigest()
    except (UnreadableInput, OSError):
        return ""


def folder_columns(path: str, own: Collection[str] = ()) -> dict[str, str | None]:
    """Columns in the folders of `path` (`dt=2021-05-17/`), except `own` of the file."""
    found: dict[str, str | None] = {}
    for folder in path.split("/")[:-1]:
        name, equals, value = folder.partition("=")
        if equals and name and unquote(name) not in own:
            found[unquote(name)] = None if value == _NO_VALUE else unquote(value)
    return found
