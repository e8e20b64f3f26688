"""Delivery to a folder: written aside, flushed, and renamed, so that a clue is there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from duanka.casework.clues.delivery.address import DeliveryFailed
from duanka.domain.private_files import private_file


class FolderDelivery:
    """Puts clues into `folder`, each in a folder of its own that is named by its id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, clue: str, files: Mapping[str, bytes]) -> str:
        """Put the files there. DeliveryFailed: the folder is missing or cannot be written, or holds another clue."""
        whole, aside = self._folder / clue, self._folder / f".{clue}.{os.getpid()}.unfinished"
        try:
            self._tidy(clue)
            if whole.exists():
                return self._there(whole, files)
            write_folder(aside, files)
            try:
                aside.rename(whole)
            except OSError:  # another process was faster
                if whole.exists():
                    return self._there(whole, files)
                raise
            _flush(self._folder)
        except OSError as error:
            raise DeliveryFailed(
                f"{self._folder} does not take the clue: {error.strerror or error}"
            ) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return str(whole)

    def _there(self, whole: Path, files: Mapping[str, bytes]) -> str:
        if {path.name: path.read_bytes() for path in whole.iterdir()} != files:
            raise DeliveryFailed(f"{whole} holds something else: look at it, move it away, and send again")
        return str(whole)

    def _tidy(self, clue: str) -> None:
        """Remove what a send that was killed left aside; nobody else writes there."""
        for path in self._folder.glob(f".{clue}.*.unfinished"):
            pid = path.name.split(".")[-2]
            if not pid.isdigit() or not Path(f"/proc/{pid}").exists():
                shutil.rmtree(path, ignore_errors=True)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files to a new private folder, flushed to the disk. OSError."""
    folder.mkdir(mode=0o700)
    for name, content in files.items():
        path = private_file(folder / name)
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    _flush(folder)


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
