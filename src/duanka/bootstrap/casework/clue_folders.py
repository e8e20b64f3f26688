"""Folders and files of clues on this machine: written once, readable by their owner only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from duanka.bootstrap.store.folders import must_be_text, must_lie_outside
from duanka.casework.clues.delivery.folder import write_folder
from duanka.domain.clue import ClueError
from duanka.domain.errors import DuankaError


def must_be_new(out: Path) -> None:
    """ClueError: there is something at `out` already, or no folder around it."""
    must_be_text(out, "--out")
    must_lie_outside(out, "--out")
    if out.exists() or out.is_symlink():
        raise ClueError(f"--out {out} is there already: name a new one, nothing is written over")
    if not out.absolute().parent.is_dir():
        raise ClueError(f"--out {out}: there is no folder {out.absolute().parent}")


def write(out: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a clue to a new folder: all of them, or none. OSError."""
    aside = out.with_name(f".{out.name}.{os.getpid()}.unfinished")
    try:
        write_folder(aside, files)
        aside.rename(out)
    finally:
        if aside.exists():
            for path in aside.iterdir():
                path.unlink()
            aside.rmdir()


def write_new(out: Path, content: bytes) -> None:
    """Write a private file that was not there before. OSError."""
    with open(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def write_key(out: Path, pem: bytes) -> None:
    """Write a public key to a new file. ClueError: it is there already. OSError."""
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise ClueError(f"{out} is there already: choose another file") from None
    with open(handle, "wb") as file:
        file.write(pem)


def read(path: Path) -> bytes:
    """Read a file that a person names. DuankaError: it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DuankaError(f"{path} cannot be read ({error.strerror})") from None
