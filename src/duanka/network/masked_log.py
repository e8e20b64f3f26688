"""A process of its own that masks the numbers in what another program says: its parse errors quote whole messages."""

from __future__ import annotations

import os
import signal

from duanka.domain.phone_masking import masked_log_line

_MOST = 65_536  # bytes of one line; what is longer is parted
_STDERR = 2
_NICE = 10  # whoever floods a program with what it complains of takes nothing from what it does


def mask_stderr() -> None:
    """Let what this process says on stderr, and what it becomes by exec, go where it went, with numbers masked.

    The other process ends when nobody is left who could write. Whoever writes never waits for it: what finds its pipe
    full is lost. It is no child of this process, which may become one that ends when a child of it does.
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
            os.nice(_NICE)
            for ends in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # it ends last, and by itself
                signal.signal(ends, signal.SIG_IGN)
            _pass_on(reads)
    finally:
        os._exit(0)


def _pass_on(reads: int) -> None:
    rest = b""
    while got := os.read(reads, _MOST):
        *lines, rest = (rest + got).split(b"\n")
        _write(b"".join(_masked(line) + b"\n" for line in lines))
        if len(rest) >= _MOST:
            _write(_masked(rest) + b"\n")
            rest = b""
    _write(_masked(rest))


def _masked(line: bytes) -> bytes:
    return masked_log_line(line.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _write(text: bytes) -> None:
    while text:
        try:
            text = text[os.write(_STDERR, text) :]
        except OSError:  # a full disk: what comes later may find room
            return
