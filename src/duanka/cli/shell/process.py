"""The process of a command: private files, no core dump, masked numbers in the log, safe text on the terminal."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import re
import resource
import shlex
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console, Group, JustifyMethod, OverflowMethod
from rich.containers import Lines
from rich.text import Text

from duanka.domain.local_time import operator_zone
from duanka.domain.phone_masking import masked_log_line
from duanka.domain.private_files import UMASK

# What a terminal obeys instead of showing it: C0 and C1 controls, marks of direction, separators of lines.
UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]"
)
_ALLOCATIONS = (
    50_000  # between two looks for garbage; 700, as Python has it, is a tenth of what a command costs
)
_SHOWN_INSTEAD = "\ufffd"


class ExitCode(IntEnum):
    """How a command ended, for cron and scripts; docs/OUTPUT.md has the table."""

    DONE = 0
    DEFECT = 1  # a traceback, which is a defect of ours; or a question on the terminal that was not answered
    WRONG_USE = 2  # also unreadable input, and whatever a person can put right before it is tried again
    SET_ASIDE = 3  # done, and too many records were set aside
    LOOK = 4  # done, and something is missing or broken that somebody must look at
    WAITS = 5  # done in part: the rest waits for a person's word (`--yes`)
    INTERRUPTED = 130  # by Ctrl-C; the shell's own number for it


def prepare_process() -> None:
    """Let this process and its children write for their owner alone, leave no core, and mask numbers in the log."""
    os.umask(UMASK)
    gc.set_threshold(_ALLOCATIONS)
    atexit.register(
        gc.freeze
    )  # no look for garbage at the very end, which takes a quarter of a short command
    # a core holds the secret, keys, and numbers
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.setLogRecordFactory(_MaskedRecord)
    if logging.lastResort:  # what prints warnings where nobody configured a log
        logging.lastResort.setFormatter(_Stamped("%(asctime)s %(levelname)s %(name)s: %(message)s"))


class _Stamped(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  # as logging has it
        """The operator's time, with its offset."""
        del datefmt
        return operator_zone().written(datetime.fromtimestamp(record.created, UTC))


class _MaskedRecord(logging.LogRecord):
    def getMessage(self) -> str:  # noqa: N802  # the name that logging has for it
        """The line with every number in it masked."""
        return masked_log_line(super().getMessage())


# What stays on one line: a number, a moment, a word. Chinese breaks behind any letter, but not before a closing mark.
_UNBROKEN = re.compile(
    r"[（「『《【]*"
    r"(?:\+\d{1,3} [\x21-\u2fff]+|\d{4}-\d\d-\d\d \d\d:[\d:+.]+|[\x21-\u2fff]+[年月日时分秒]?|[^\x21-\u2fff])"
    r"[，。；：、）」』》】！？％]* ?"
)


_at_home: ContextVar[Callable[[str], str] | None] = ContextVar("at_home", default=None)


def repeat_home(home: Path | None, commands: Iterable[str]) -> None:
    """Print the commands that are named in texts with this --home; None: it was not given."""
    if home is None:
        _at_home.set(None)
        return
    names = "|".join(map(re.escape, commands))
    command = re.compile(rf"(?<![\w./-])duanka (?=(?:{names})(?![\w-]))")
    words = f"duanka --home {shlex.quote(str(home))} "
    _at_home.set(lambda text: command.sub(lambda _: words, text))


def with_home(text: str) -> str:
    """A text that names commands, each with the --home of this one, so that it can be copied and typed."""
    at_home = _at_home.get()
    return at_home(text) if at_home else text


class Prose(Text):
    """A text that may be Chinese: lines are as long as they can be, and no mark that closes begins one."""

    def __init__(self, text: str = "", *style: Any, **options: Any) -> None:
        super().__init__(with_home(text), *style, **options)

    def wrap(
        self,
        console: Console,
        width: int,
        *,
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        tab_size: int = 8,
        no_wrap: bool | None = None,
    ) -> Lines:
        """As Text.wrap, which breaks at blanks alone: between the numbers and the words of a Chinese sentence."""
        plain = justify not in (None, "default", "left") or overflow not in (None, "fold")
        if plain or no_wrap or self.no_wrap or self.plain.isascii():
            return super().wrap(
                console,
                width,
                justify=justify,
                overflow=overflow,
                tab_size=tab_size,
                no_wrap=no_wrap,
            )
        lines = Lines()
        for line in self.split(allow_blank=True):
            for one in line.divide(line_breaks(line.plain, width)):
                one.rstrip()
                lines.append(one)
        return lines


def line_breaks(text: str, width: int) -> list[int]:
    """Where lines of at most `width` cells begin, but for the first."""
    found, at = list[int](), 0
    for part in _UNBROKEN.finditer(text):
        size = cell_len(part[0].rstrip())
        if at and at + size > width:
            found.append(part.start())
            at = 0
        if size <= width:
            at += cell_len(part[0])
            continue
        for index, letter in enumerate(part[0], start=part.start()):  # longer than a line: folded
            if at and at + cell_len(letter) > width:
                found.append(index)
                at = 0
            at += cell_len(letter)
    return found


class SafeConsole(Console):
    """A console for texts that strangers wrote: what is no printable letter is shown as a replacement mark."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As Console.print, which makes one plain text of the texts it is given."""
        super().print(*(Group(one) if isinstance(one, Prose) else one for one in objects), **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """A text as it is safe to print."""
        safe = super().render_str(UNSAFE.sub(_SHOWN_INSTEAD, with_home(text)), **options)
        prose = Prose(safe.plain, safe.style, end=safe.end, spans=safe.spans)
        prose.justify, prose.overflow, prose.no_wrap = safe.justify, safe.overflow, safe.no_wrap
        return prose


# what a file says is text: [brackets] in it are no markup, :words: no emoji
OUT, ERR = (SafeConsole(markup=False, emoji=False, stderr=stderr) for stderr in (False, True))
