"""Logs of the programs that we start: phone numbers masked, size limited.

Their parse errors quote whole messages, and a peer that sends malformed packets could fill the disk with them.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from duanka.domain.phone_masking import masked_log_line
from duanka.domain.private_files import write_private

MOST_BYTES, KEPT_BYTES = 32 << 20, 4 << 20
_MAX_LINE_BYTES = 65_536  # bytes of one line; a longer one is split
_STDERR = 2
_NICE_LEVEL = 10  # nice level: a flood of error lines must not take CPU time from the program itself


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


def mask_stderr() -> None:
    """Send stderr, also after exec, through a process that masks numbers.

    The helper ends when no writer is left. Writers never block on it: output that finds the pipe full is dropped. The
    helper is not a child of this process, because a program started by exec may exit when one of its children does.
    """
    reads, writes = os.pipe()
    if between := os.fork():
        os.close(reads)
        os.waitpid(between, 0)
        os.set_blocking(writes, False)
        os.dup2(writes, _STDERR)
        os.close(writes)
        return
    try:
        if not os.fork():
            os.close(writes)
            os.setsid()
            os.chdir("/")
            os.nice(_NICE_LEVEL)
            for ends in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # it ends when its input does
                signal.signal(ends, signal.SIG_IGN)
            _pass_on(reads)
    finally:
        os._exit(0)


def _pass_on(reads: int) -> None:
    rest = b""
    while got := os.read(reads, _MAX_LINE_BYTES):
        *lines, rest = (rest + got).split(b"\n")
        _write(b"".join(_masked(line) + b"\n" for line in lines))
        if len(rest) >= _MAX_LINE_BYTES:
            _write(_masked(rest) + b"\n")
            rest = b""
    _write(_masked(rest))


def _masked(line: bytes) -> bytes:
    return masked_log_line(line.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _write(text: bytes) -> None:
    while text:
        try:
            text = text[os.write(_STDERR, text) :]
        except OSError:  # disk full: later lines may find room
            return
