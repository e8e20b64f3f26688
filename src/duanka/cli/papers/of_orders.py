"""`duanka orders copy`: the text of a stop, as a file or for a court."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.output.lists import line, say
from duanka.cli.people.acting import Number, Why, at_desk, command, order_meant
from duanka.cli.shell.lazy import lazily
from duanka.domain.authority import Permission
from duanka.domain.errors import DuankaError
from duanka.domain.order import Kind
from duanka.domain.private_files import write_private

if TYPE_CHECKING:
    from duanka.bootstrap import settings
    from duanka.bootstrap.outputs import files
else:
    files = lazily("duanka.bootstrap.outputs.files")
    settings = lazily("duanka.bootstrap.settings")

commands = typer.Typer()


@command(commands, Permission.COPY_STOP_TEXT)
def copy(
    order: Number,
    why: Why,
    out: Annotated[
        Path | None,
        typer.Option(help="New file: .pdf for a holder or a court, .txt for the very bytes of the SHA-256."),
    ] = None,
    step: Annotated[int | None, typer.Option(min=1, help="The text of this step alone.")] = None,
) -> None:
    """Copy the text of a stop as it was made then, with its SHA-256: to the terminal, or to a file."""
    if out and out.suffix not in (".pdf", ".txt"):
        raise DuankaError(f"--out {out} is neither .pdf nor .txt: name the file by what it is to be")
    with at_desk() as (here, person):
        number = order_meant(here, person, order, Kind.RESTRICTION).id
        if out:
            files.may_export(out, "--out", settings.load_settings())
        found = here.copies.copy(number, person, why, here.now(), step)
        if out is None:
            for one in found.texts:
                line(one.text.rstrip("\n"))
                line(f"SHA-256 {one.sha256}")
            return
        write_private(out, here.copies.pdf(found) if out.suffix == ".pdf" else found.plain)
    digest = found.texts[-1].sha256
    say(f"{out}：工单 {number}，SHA-256 {digest}", f"{out}: order {number}, SHA-256 {digest}")
