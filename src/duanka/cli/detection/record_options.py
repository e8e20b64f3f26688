"""Common options of commands about records, and progress output."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from duanka.cli.shell.completion import policies_like
from duanka.cli.shell.language import shown, text_shown
from duanka.cli.shell.process import ERR
from duanka.domain.errors import DuankaError
from duanka.domain.text import BilingualText

LINE_EVERY = 10.0  # seconds between two lines of progress
_SECONDS = BilingualText("{seconds} 秒", "{seconds} s")

Data = Annotated[
    Path, typer.Argument(help="Directory of records (docs/FORMAT.md), or with --mapping a file.")
]
DataOrInbox = Annotated[
    Path | None,
    typer.Argument(
        help="Directory of records (docs/FORMAT.md), or with --mapping a file; default: the inbox of duanka.toml."
    ),
]
PolicyName = Annotated[
    str, typer.Option("--policy", help="national, hebei, or a FILE.toml.", autocompletion=policies_like)
]
MappingFile = Annotated[
    Path | None,
    typer.Option(
        "--mapping",
        help="Mapping of a foreign format, FILE.toml (docs/MAPPING.md), or the name of a shipped one: tap3.",
    ),
]
Lists = Annotated[
    Path | None, typer.Option(help="Area lists, FILE.toml; default: world.toml beside the records.")
]
AreaLists = Annotated[Path | None, typer.Option("--lists", help="Area lists, FILE.toml.")]
Memory = Annotated[str | None, typer.Option("--memory", help="Memory to stay within. Default 1GB.")]
TableLanguage = Annotated[
    Literal["zh", "en"] | None, typer.Option("--language", help="Language of tables and of the work list.")
]
EngineName = Annotated[
    Literal["embedded", "spark"], typer.Option(help="Where the rules run: here, or on a Spark cluster.")
]
Remote = Annotated[str | None, typer.Option(help="Spark Connect server, sc://host:15002 (docs/CLUSTER.md).")]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="Now, like 2021-05-17 or 2021-05-17T18:00, local as the records are; nothing after it is seen."
        " Default: the end of the last day in the records.",
    ),
]


class Steps:
    """Progress bar on a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def step(self, what: str, done: float, total: float | None = None) -> None:
        """Report progress of the step `what`."""
        self._progress.update(self._task, description=text_shown(what), completed=done, total=total)


class Lines:
    """Progress lines in a pipe: one every `every` seconds, also within a step."""

    def __init__(self, every: float = LINE_EVERY) -> None:
        self._every = every
        self._began = time.monotonic()
        self._seconds = shown(_SECONDS)  # a thread does not know which language was asked for
        self.step("starting", 0)
        self._ended = threading.Event()
        self._teller = threading.Thread(target=self._tell, name="progress", daemon=True)

    def __enter__(self) -> Lines:
        self._teller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._teller.join()

    def step(self, what: str, done: float, total: float | None = None) -> None:
        """Report progress of the step `what`."""
        self._now: tuple[str, float, float | None] = (text_shown(what), done, total)

    def _tell(self) -> None:
        while not self._ended.wait(self._every):
            what, done, total = self._now
            share = f", {min(done / total, 1):.0%}" if total else ""
            seconds = self._seconds.format(seconds=round(time.monotonic() - self._began))
            line = f"{what}{share} ({seconds})"
            ERR.print(line, highlight=False, soft_wrap=True)


@contextmanager
def steps() -> Iterator[Steps | Lines]:
    """Progress output, shown until the context ends."""
    if not ERR.is_terminal:
        with Lines() as lines:
            yield lines
        return
    columns = (SpinnerColumn(), TextColumn("{task.description:<28}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=ERR, transient=True) as progress:
        yield Steps(progress)


def records_folder(data: Path | None, inbox: Path | None) -> Path:
    """The folder given, else the inbox of the settings; DuankaError: neither is set."""
    if found := data or inbox:
        return found
    raise DuankaError(
        "which records? Name their folder, DATA, or set `inbox` in duanka.toml (`duanka config`)"
    )


def share_of(text: str) -> float:
    """Parse 1% or 0.01 for --max-bad. DuankaError: not a share."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise DuankaError(f"--max-bad {text!r} is not a share; write it like 1% or 0.01")
    return share
