"""`duanka keys add-source`, `sources`.

`duanka cases`: sources of police cases, signing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from duanka.cli.output.grid import grid
from duanka.cli.people.acting import AtDesk, Why, command
from duanka.cli.shell.language import shown
from duanka.cli.shell.lazy import lazily
from duanka.domain.authority import Permission
from duanka.domain.case_source import SIGNATURE_ENDING
from duanka.domain.errors import UnreadableInput
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.bootstrap import orders as app_orders
    from duanka.bootstrap.settings import Settings
    from duanka.ingest.delivery import signatures
else:
    app_orders = lazily("duanka.bootstrap.orders")
    signatures = lazily("duanka.ingest.delivery.signatures")

_SOURCES = (
    *(BilingualText("编号", "id"), BilingualText("签名方", "name"), BilingualText("提出人", "proposed")),
    *(BilingualText("复核人", "approved by"), BilingualText("状态", "state")),
)
_NO_SOURCE = BilingualText(
    "没有签名方：涉案名单不会停机；用 `duanka keys add-source` 登记。",
    "No source: no case stops a card; `duanka keys add-source`.",
)

SourceId = Annotated[str, typer.Argument(metavar="SOURCE", help="Id or name, from `keys sources`.")]


def add_case_sources(
    cli: typer.Typer, keys: typer.Typer, out: Console, settings: Callable[[], Settings]
) -> None:
    """Add the commands about sources to `keys`, and `cases`."""
    at_desk = AtDesk(settings)
    _add_deciding(keys, out, settings, at_desk)
    _add_signing(cli, out)

    @command(keys, Permission.PROPOSE_CASE_SOURCE, "add-source")
    def add_source(
        name: Annotated[str, typer.Argument(help="Who signs, like city.bureau.")],
        public_key: Annotated[Path, typer.Option("--public-key", help="Its Ed25519 public key, PEM.")],
    ) -> None:
        """Propose whose signature of police cases counts; another supervisor approves."""
        with at_desk(Permission.PROPOSE_CASE_SOURCE) as (here, by):
            raw = signatures.public_key_of(_read(public_key))
            number = here.case_sources.propose(name, raw, by, app_orders.now())
        out.print(f"{number}: {name} is proposed; its key is {raw.hex()}.", highlight=False, soft_wrap=True)
        out.print(f"Next, by another supervisor: duanka keys approve-source {number}", highlight=False)

    @command(keys, Permission.LIST_CASE_SOURCES)
    def sources(
        export: Annotated[
            Path | None, typer.Option(help="Write the sealed list for a machine without the order book.")
        ] = None,
    ) -> None:
        """List whose signature of police cases counts, since when, and by whom."""
        with at_desk(Permission.LIST_CASE_SOURCES) as (here, by):
            listed = here.case_sources.listed(by)
            if export:
                app_orders.write_sources(here, export)
        table = grid(*_SOURCES)
        for one in listed:
            state, source = shown(one.state.words), one.source
            table.add_row(one.id, source.name, one.proposed_by, one.approved_by or "-", state)
        out.print(table if listed else shown(_NO_SOURCE), highlight=False)
        for one in listed:  # in full: two persons compare it with what the police read out
            key = one.source.public_key.hex()
            out.print(f"{one.id} {one.source.name}: {key}", highlight=False, soft_wrap=True)


def _add_deciding(keys: typer.Typer, out: Console, settings: Callable[[], Settings], at_desk: AtDesk) -> None:
    @command(keys, Permission.APPROVE_CASE_SOURCE, "approve-source")
    def approve_source(source: SourceId, why: Why) -> None:
        """Approve, as another supervisor: from now on cases that it signs stop cards."""
        with at_desk(Permission.APPROVE_CASE_SOURCE) as (here, by):
            approved = here.case_sources.approve(source, by, why, app_orders.now())
            app_orders.write_sources(here, settings().sources_file)
        out.print(f"{approved.name} is in force: cases that it signs stop cards.", highlight=False)
        out.print(
            f"Its key, to compare with theirs: {approved.public_key.hex()}", highlight=False, soft_wrap=True
        )

    @command(keys, Permission.REMOVE_CASE_SOURCE, "remove-source")
    def remove_source(source: SourceId, why: Why) -> None:
        """Let the signature of a source count no longer, at once."""
        with at_desk(Permission.REMOVE_CASE_SOURCE) as (here, by):
            here.case_sources.remove(source, by, why, app_orders.now())
            app_orders.write_sources(here, settings().sources_file)
        out.print(f"{source} is removed.", highlight=False)


def _add_signing(cli: typer.Typer, out: Console) -> None:
    cases = typer.Typer(help="Cases 涉案名单: sign a file of police cases.", no_args_is_help=True)
    cli.add_typer(cases, name="cases")

    @cases.callback()
    def group() -> None:
        """Keep `sign` a command of its own."""

    @cases.command()
    def sign(
        file: Annotated[Path, typer.Argument(help="The file of cases, as it is delivered.")],
        key: Annotated[Path, typer.Option(help="The private key of the source, Ed25519, PEM.")],
    ) -> None:
        """Write the signature beside the file. It is the source's own act: the key stays with the police."""
        beside = file.with_name(file.name + SIGNATURE_ENDING)
        beside.write_bytes(signatures.sign(_read(file), _read(key)))
        out.print(
            f"Signed: {beside}. Deliver it before the file, or together.", highlight=False, soft_wrap=True
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableInput(f"{path}: cannot be read ({error.strerror})") from None
