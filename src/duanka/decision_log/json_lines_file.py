"""File of JSON lines that only grows, numbered in rising order."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from duanka.domain.errors import DuankaError
from duanka.domain.private_files import tighten

_BEGIN = b'{"seq": '  # of every line
_BLOCK_BYTES = 1 << 16
_NUL = b"\x00"


class JsonLinesFile:
    """JSON lines in rising order of seq.

    `last`: seq of the last complete line; 0: none. `last_line`: that line when the file was opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.last_line = b""
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            tighten(path)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._lock()
            self._size, self.last = self._mended()
        except BaseException:
            os.close(self._file)
            raise

    def close(self) -> None:
        """Close the file, and let others write to it."""
        os.close(self._file)

    def add(self, lines: Iterable[tuple[int, bytes]]) -> None:
        """Append the lines after `last`, all or none, and fsync."""
        new = [(seq, line) for seq, line in lines if seq > self.last]
        if not new:
            return
        text = b"".join(line for _, line in new)
        try:
            os.ftruncate(self._file, self._size)  # remove the remainder of a failed write
            self._put(text)
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise self._unwritable(error) from error
        self._size += len(text)
        self.last = new[-1][0]

    @property
    def size(self) -> int:
        """Bytes of all complete lines."""
        return self._size

    def append(self, lines: Path, last: int) -> None:
        """Append a file of complete lines, the last of them with the number `last`, all or none, and fsync."""
        begin = self._size
        try:
            os.ftruncate(self._file, begin)
            with lines.open("rb") as file:
                while block := file.read(_BLOCK_BYTES):
                    self._put(block)
                    self._size += len(block)
            os.fsync(self._file)
        except OSError as error:
            self._size = begin
            with suppress(OSError):
                os.ftruncate(self._file, begin)
            raise self._unwritable(error) from error
        self.last = last

    def digest_before(self, position: int) -> str:
        """Digest of the bytes just before `position`, to tell whether it still is that of the same file."""
        begin = max(0, position - _BLOCK_BYTES)
        return hashlib.sha256(os.pread(self._file, position - begin, begin)).hexdigest()

    def all(self, after: int = 0) -> Iterator[dict[str, Any]]:
        """Yield every complete line after byte `after`, in order."""
        with self._path.open("rb") as file:
            file.seek(after)
            for text in file:
                if text.endswith(b"\n"):
                    line: dict[str, Any] = json.loads(text)
                    yield line

    def _put(self, text: bytes) -> None:
        done = 0
        while done < len(text):
            done += os.pwrite(self._file, text[done:], self._size + done)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DuankaError(
                f"{self._path}: another run writes to it; end that, or choose another folder"
            ) from error

    def _mended(self) -> tuple[int, int]:
        """Cut off a torn end; return the size and the seq of the last line."""
        size = end = os.fstat(self._file).st_size
        last = 0
        for begin, line in self._backwards(size):
            whole = line.endswith(b"\n")
            if whole and (seq := _seq(line)):
                last, self.last_line = seq, line
                break
            # After a power failure a disk may have zeros where the last lines should be.
            torn = not whole and (line.startswith(_BEGIN) or _BEGIN.startswith(line))
            if not torn and _NUL not in line:
                raise DuankaError(
                    f"{self._path}: its last line is none of ours; move the file away, or choose another folder"
                )
            end = begin
        if end < size:
            os.ftruncate(self._file, end)
            os.fsync(self._file)
        return end, last

    def _backwards(self, end: int) -> Iterator[tuple[int, bytes]]:
        """Yield lines with their offsets, last first, reading only what is consumed."""
        held = b""
        while end or held:
            cut = held.rfind(b"\n", 0, len(held) - 1)
            if cut < 0 and end:
                begin = max(0, end - _BLOCK_BYTES)
                held = os.pread(self._file, end - begin, begin) + held
                end = begin
                continue
            yield end + cut + 1, held[cut + 1 :]
            held = held[: cut + 1]

    def _unwritable(self, error: OSError) -> DuankaError:
        return DuankaError(
            f"{self._path}: cannot be written ({error.strerror}); make room or choose another folder, then"
            " start again: it goes on where it stopped"
        )


def _seq(line: bytes) -> int:
    """Return the seq of a complete line; 0 if Duanka did not write it."""
    try:
        seq = json.loads(line)["seq"]
    except (ValueError, KeyError, TypeError):
        return 0
    return seq if isinstance(seq, int) and seq > 0 else 0
