"""Size limit of a log that another process appends to.

Without it, a peer that sends malformed packets could fill the disk with parse errors.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from duanka.domain.private_files import write_private

MOST_BYTES, KEPT_BYTES = 32 << 20, 4 << 20


def keep_small(log: Path, most: int = MOST_BYTES, kept: int = KEPT_BYTES) -> None:
    """Truncate `log` when it exceeds `most` bytes; its last `kept` bytes go to NAME.1.

    The writer must have opened it in append mode (as `>>` does), and goes on at the new end. Lines written between copy
    and truncation are lost. Raises nothing: a log that cannot be truncated must not stop the caller.
    """
    with contextlib.suppress(OSError):
        if log.stat().st_size <= most:
            return
        with log.open("r+b") as file:
            file.seek(-kept, 2)
            end = file.read(kept)
            with contextlib.suppress(OSError):  # disk full: truncating matters more than the copy
                write_private(log.with_name(f"{log.name}.1"), end.partition(b"\n")[2])
            file.truncate(0)
