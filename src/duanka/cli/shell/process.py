"""Process setup and output: file mode, core dumps, masked log, safe terminal text."""

from __future__ import annotations

import atexit
import gc
import itertools
import logging
import os
import re
import resource
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from enum import IntEnum
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, JustifyMethod, OverflowMethod, RenderResult
from rich.containers import Lines
from rich.text import Text

from duanka.cli.shell.log_lines import FORMATTER
from duanka.domain.phone_masking import masked_log_line
from duanka.domain.private_files import UMASK

# Characters that control a terminal: C0 and C1 controls, direction marks, line and paragraph separators.
UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]"
)
_ALLOCATIONS = 50_000  # allocations between garbage collections; Python's 700 costs 10% of a command's time
_SHOWN_INSTEAD = "\ufffd"


class ExitCode(IntEnum):
    """Exit codes, for cron and scripts; the table is in docs/OUTPUT.md."""

    DONE = 0
    DEFECT = 1  # an unexpected exception (traceback), or a question on the terminal without an answer
    WRONG_USE = 2  # also unreadable input, and every error that a person can correct
    SET_ASIDE = 3  # done, but too many records were rejected
    LOOK = 4  # done, but something is missing or broken and needs attention
    WAITS = 5  # partly done: the rest needs confirmation with `--yes`
    INTERRUPTED = 130  # by Ctrl-C; the value that shells use


def prepare_process() -> None:
    """Set up the process: files private to the owner, no core dump, masked log.

    Child processes inherit the file mode and the core limit.
    """
    os.umask(UMASK)
    gc.set_threshold(_ALLOCATIONS)
    atexit.register(gc.freeze)  # no final garbage collection, which takes a quarter of a short command
    # a core dump would contain the secret, keys and phone numbers
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.setLogRecordFactory(_MaskedRecord)
    if logging.lastResort:  # prints warnings where logging is not configured
        logging.lastResort.setFormatter(FORMATTER)


class _MaskedRecord(logging.LogRecord):
    def getMessage(self) -> str:  # noqa: N802  # name given by the base class
        """The message with every phone number masked."""
        return masked_log_line(super().getMessage())


CAUTION = "dark_orange3"  # yellow cannot be read on a light terminal
_OPENING, _CLOSING = "[（「『《【]*", "[，。；：、）」』》】！？％]* ?"
# Text that stays on one line: a number, a time, a word. Chinese may break after any character, but not before
# closing punctuation.
UNBROKEN = re.compile(
    _OPENING
    + r"(?:\+\d{1,3} [\x21-\u2fff]+|\d{4}-\d\d-\d\d \d\d:[\d:+.]+|[\x21-\u2fff]+[年月日时分秒]?|[^\x21-\u2fff])"
    + _CLOSING
)
_COMMAND = re.compile(f"{_OPENING}`[^`]*`{_CLOSING}")


_at_home: ContextVar[Callable[[str], str] | None] = ContextVar("at_home", default=None)


def repeat_home(home: Path | None, commands: Iterable[str]) -> None:
    """Add this --home to the commands that texts suggest; None: --home was not given.

    `commands`: names of the commands that take it.
    """
    if home is None:
        _at_home.set(None)
        return
    names = "|".join(map(re.escape, commands))
    command = re.compile(rf"(?<![\w./-])duanka (?=(?:{names})(?![\w-]))")
    words = f"duanka --home {shlex.quote(str(home))} "
    _at_home.set(lambda text: command.sub(lambda _: words, text))


def with_home(text: str) -> str:
    """Add the --home in use to the commands in a text, so that they can be copied."""
    at_home = _at_home.get()
    return at_home(text) if at_home else text


class Prose(Text):
    """Text that may be Chinese: lines are filled, and none begins with a closing mark."""

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
        """Like Text.wrap, but also break between Chinese characters.

        Text.wrap breaks only at spaces, and a Chinese sentence has few.
        """
        plain = justify not in (None, "default", "left") or overflow not in (None, "fold")
        if plain or no_wrap or self.no_wrap or (self.plain.isascii() and "`" not in self.plain):
            return super().wrap(
                console, width, justify=justify, overflow=overflow, tab_size=tab_size, no_wrap=no_wrap
            )
        lines = Lines()
        for line in self.split(allow_blank=True):
            for one in line.divide(line_breaks(line.plain, width)):
                one.rstrip()
                lines.append(one)
        return lines


def line_breaks(text: str, width: int) -> list[int]:
    """Start indexes of all lines but the first, for lines of at most `width` cells."""
    found, at = list[int](), 0
    for part in _unbroken_parts(text, width):
        size = cell_len(part[0].rstrip())
        if at and at + size > width:
            found.append(part.start())
            at = 0
        if size <= width:
            at += cell_len(part[0])
            continue
        for index, letter in enumerate(part[0], start=part.start()):  # longer than a line: break anywhere
            if at and at + cell_len(letter) > width:
                found.append(index)
                at = 0
            at += cell_len(letter)
    return found


def _unbroken_parts(text: str, width: int) -> Iterator[re.Match[str]]:
    """Parts that stay on one line: matches of UNBROKEN, and commands that fit, so that they can be copied."""
    at = 0
    for command in _COMMAND.finditer(text):
        if cell_len(command[0].rstrip()) <= width:
            yield from UNBROKEN.finditer(text, at, command.start())
            yield command
            at = command.end()
    yield from UNBROKEN.finditer(text, at)


def indented_lines(text: str, width: int) -> Iterator[str]:
    """Lines of at most `width` cells; a wrapped line keeps its indentation."""
    for line in text.split("\n"):
        words = line.lstrip(" ")
        indent = " " * (len(line) - len(words))
        breaks = [0, *line_breaks(words, width - len(indent)), len(words)]
        yield from (f"{indent}{words[a:b].strip()}".rstrip() for a, b in itertools.pairwise(breaks))


class Indented:
    """Text to print by `indented_lines`."""

    def __init__(self, text: str, style: str = "") -> None:
        self._text, self._style = UNSAFE.sub(_SHOWN_INSTEAD, with_home(text)), style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines, for the width at hand."""
        for line in indented_lines(self._text, options.max_width):
            yield Text(line, self._style)


class SafeConsole(Console):
    """Console for untrusted text: shows control characters as a replacement mark."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Like Console.print, which would turn Prose into a plain Text."""
        super().print(*(Group(one) if isinstance(one, Prose) else one for one in objects), **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text, safe to print."""
        safe = super().render_str(UNSAFE.sub(_SHOWN_INSTEAD, with_home(text)), **options)
        prose = Prose(safe.plain, safe.style, end=safe.end, spans=safe.spans)
        prose.justify, prose.overflow, prose.no_wrap = safe.justify, safe.overflow, safe.no_wrap
        return prose


# text from files is literal: neither [markup] nor :emoji:, and no number or path in it has a colour
OUT, ERR = (
    SafeConsole(markup=False, emoji=False, highlight=False, stderr=stderr) for stderr in (False, True)
)
