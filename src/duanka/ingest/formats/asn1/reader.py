"""Reader of BER files: charging records of an exchange, roaming records (TAP 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from duanka.ingest.files.limits import RECORD_LIMIT
from duanka.ingest.files.open_file import opened
from duanka.ingest.formats.asn1 import tap3, ts32298
from duanka.ingest.formats.asn1.ber import FileBytes, Octets
from duanka.ingest.model.blocks import RAW_LIMIT, Block, OpenReader, Rejected, text_frame
from duanka.ingest.model.reasons import QuarantineReason

BLOCK_RECORDS = 10_000
FORMATS: dict[str, ModuleType] = {"ts32298": ts32298, "tap3": tap3}


class Asn1Reading(OpenReader):
    """One file of BER records; `form`: a key of FORMATS; lines: record numbers from 1."""

    def __init__(self, path: Path, form: str, root: Path | None = None) -> None:
        self._path = path
        self._form: Any = FORMATS[form]
        self._root = root
        self.columns = self._form.COLUMNS
        opened(path, root).close()

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """Yield the `wanted` fields of the records as text; broken records in hexadecimal."""
        with opened(self._path, self._root) as file:
            data = FileBytes(file)
            if not len(data):
                return
            decode = self._form.decoder(data)
            rows: list[dict[str, str | None]] = []
            lines: list[int] = []
            bad: list[Rejected] = []
            number = done = 0
            for number, found in enumerate(self._form.records(data), start=1):
                if isinstance(found, int):
                    self.unreadable = (
                        f"no {self._form.NAME} record can be made out at byte {found} or after it"
                    )
                    reason = QuarantineReason.CUT_OFF if found else QuarantineReason.UNREADABLE_FILE
                    bad.append(Rejected(number, reason, _raw(data, found)))
                    done = len(data)
                    continue
                done = found.after
                if found.after - found.begin > RECORD_LIMIT:
                    bad.append(Rejected(number, QuarantineReason.TOO_LONG, _raw(data, found.begin)))
                    continue
                octets = data[found.begin : found.after]
                try:
                    rows.append(decode(octets))
                    lines.append(number)
                except Exception:  # pycrate may raise any exception
                    bad.append(Rejected(number, QuarantineReason.UNDECODABLE, _raw(octets)))
                if len(rows) + len(bad) >= BLOCK_RECORDS:
                    yield _block(rows, lines, bad, wanted, done)
                    rows, lines, bad = [], [], []
            if rows or bad:
                yield _block(rows, lines, bad, wanted, done)


def _block(
    rows: list[dict[str, str | None]], lines: list[int], bad: list[Rejected], wanted: Sequence[str], done: int
) -> Block:
    frame = text_frame(wanted, ([row[name] for row in rows] for name in wanted), len(rows))
    return Block(frame, np.array(lines, np.int64), len(rows) + len(bad), done, bad)


def _raw(data: Octets, begin: int = 0) -> str:
    return data[begin : begin + RAW_LIMIT // 2].hex()
