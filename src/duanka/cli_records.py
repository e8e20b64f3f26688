"""What commands about records share: their options, and how long work is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from duanka.cli_completion import policies_like
from duanka.cli_process import ERR
from duanka.domain.errors import DuankaError

Data = Annotated[
    Path, typer.Argument(help="Directory of records (docs/FORMAT.md), or with --mapping a file.")
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
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="Now, like 2021-05-17 or 2021-05-17T18:00, local as the records are; nothing after it is seen."
        " Default: the end of the last day in the records.",
    ),
]


class Steps:
    """Shows long work on a terminal's error stream; says nothing into a pipe."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def step(self, what: str, done: float, total: float | None = None) -> None:
        """`what` has come to `done` of `total`."""
        self._progress.update(self._task, description=what, completed=done, total=total)


@contextmanager
def steps() -> Iterator[Steps]:
    """Steps of long work, shown until the context ends."""
    columns = (SpinnerColumn(), TextColumn("{task.description:<28}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=ERR, transient=True, disable=not ERR.is_terminal) as progress:
        yield Steps(progress)


def share_of(text: str) -> float:
    """Read 1% or 0.01, as of --max-bad; DuankaError where it is no share."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise DuankaError(f"--max-bad {text!r} is not a share; write it like 1% or 0.01")
    return share
