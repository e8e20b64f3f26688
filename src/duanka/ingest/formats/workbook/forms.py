"""Detects workbooks by first bytes and name; explains unsupported spreadsheets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from duanka.ingest.files.limits import MB
from duanka.ingest.files.packed_zip import Broken, Unfit, is_zip, members_of
from duanka.ingest.model.blocks import Block, OpenReader, Rejected, without_rows
from duanka.ingest.model.reasons import QuarantineReason

ENDINGS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".et")
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # .xls files, and workbooks with a password
_PASSWORD = "EncryptedPackage".encode("utf-16-le")
_MAX_SEARCHED_BYTES = 64 * MB
_SAMPLE_BYTES = 4096  # bytes sampled to tell whether a file is text
_WEB_PAGE = (
    "a web page or XML under the name of a spreadsheet; open it in a spreadsheet program and save it as .xlsx"
)
_OLD = "a workbook of before 2007 (.xls); save it as .xlsx or CSV"
_ENCRYPTED = "the workbook has a password; save it without one"
_UNKNOWN = "its name is that of a spreadsheet, and its content is none; have it exported again"


def is_workbook(file: BinaryIO, name: str) -> bool:
    """Tell whether `file` called `name` is a workbook (XML in zip), even if damaged."""
    file.seek(0)
    if not is_zip(file.read(4)):
        return False
    try:
        parts = {one.filename.replace("\\", "/").lstrip("/").lower() for one in members_of(file)}
    except (Broken, Unfit):
        return name.lower().endswith(ENDINGS)
    return "[content_types].xml" in parts or "content.xml" in parts or name.lower().endswith(ENDINGS)


def not_read(file: BinaryIO, name: str) -> str:
    """Why an unsupported spreadsheet is not read; "" if the file is no spreadsheet.

    A text file with the name of a spreadsheet does not count as one: it is read as text.
    """
    file.seek(0)
    start = file.read(_SAMPLE_BYTES)
    if start.startswith(_COMPOUND):
        return _ENCRYPTED if _has_password(file) else _OLD
    if not name.lower().endswith(ENDINGS):
        return ""
    if not start:
        return "the file is empty"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return _WEB_PAGE
    return "" if b"\0" not in start and (b"," in start or b"\t" in start) and b"\n" in start else _UNKNOWN


def _has_password(file: BinaryIO) -> bool:
    file.seek(0)
    before = b""
    for _ in range(_MAX_SEARCHED_BYTES // MB):
        piece = file.read(MB)
        if _PASSWORD in before + piece:
            return True
        before = piece[-len(_PASSWORD) :]
    return False


class NotRead(OpenReader):
    """Reader of an unsupported file: gives one rejected record that says why."""

    def __init__(self, path: Path, why: str) -> None:
        self.unreadable = why
        self._path = path

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """Yield the one record."""
        del wanted
        bad = [Rejected(None, QuarantineReason.UNREADABLE_FILE, self.unreadable)]
        yield without_rows(bad, self._path.stat().st_size)
