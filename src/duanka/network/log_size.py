"""Keeps a log small that another process appends to: whoever sends malformed packets fills no disk."""

from __future__ import annotations

import contextlib
from pathlib import Path

from duanka.domain.private_files import write_private

MOST_BYTES, KEPT_BYTES = 32 << 20, 4 << 20


def keep_small(log: Path, most: int = MOST_BYTES, kept: int = KEPT_BYTES) -> None:
    """Where `log` is larger than `most` bytes, keep its last `kept` as NAME.1 and empty it.

    Its writer has it open to append, as `>>` does, and goes on at the new end. What it wrote in the moment between is
    lost. Nothing is raised: a log that cannot be kept small must not stop who looks after it.
    """
    with contextlib.suppress(OSError):
        if log.stat().st_size <= most:
            return
        with log.open("r+b") as file:
            file.seek(-kept, 2)
            end = file.read(kept)
            with contextlib.suppress(OSError):  # the disk is full: all the more it is emptied
                write_private(log.with_name(f"{log.name}.1"), end.partition(b"\n")[2])
            file.truncate(0)
