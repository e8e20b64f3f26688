"""Sources of police cases (`duanka keys add-source`, ...); signing (`duanka cases`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.output.grid import grid
from duanka.cli.output.lists import line
from duanka.cli.people.acting import Why, at_desk, command
from duanka.cli.shell.language import shown
from duanka.cli.shell.lazy import lazily
from duanka.cli.shell.process import OUT
from duanka.domain.authority import Permission
from duanka.domain.case_source import SIGNATURE_ENDING
from duanka.domain.errors import UnreadableInput
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.bootstrap import orders as app_orders
    from duanka.bootstrap import settings
    from duanka.bootstrap.outputs import files
    from duanka.ingest.delivery import signatures
else:
    app_orders = lazily("duanka.bootstrap.orders")
    files = lazily("duanka.bootstrap.outputs.files")
    settings = lazily("duanka.bootstrap.settings")
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


of_keys = typer.Typer()


@command(of_keys, Permission.APPROVE_CASE_SOURCE, "approve-source")
def approve_source(source: SourceId, why: Why) -> None:
    """Approve, as another supervisor: from now on cases that it signs stop cards."""
    with at_desk() as (here, by):
        approved = here.case_sources.approve(source, by, why, here.now())
        app_orders.write_sources(here, settings.load_settings().sources_file)
    OUT.print(f"{approved.name} is in force: cases that it signs stop cards.")
    line(f"Its key, to compare with theirs: {approved.public_key.hex()}")


@command(of_keys, Permission.REMOVE_CASE_SOURCE, "remove-source")
def remove_source(source: SourceId, why: Why) -> None:
    """Remove a source: from now on its signature does not count."""
    with at_desk() as (here, by):
        here.case_sources.remove(source, by, why, here.now())
        app_orders.write_sources(here, settings.load_settings().sources_file)
    OUT.print(f"{source} is removed.")


@command(of_keys, Permission.PROPOSE_CASE_SOURCE, "add-source")
def add_source(
    name: Annotated[str, typer.Argument(help="Who signs, like city.bureau.")],
    public_key: Annotated[Path, typer.Option("--public-key", help="Its Ed25519 public key, PEM.")],
) -> None:
    """Propose whose signature of police cases counts; another supervisor approves."""
    with at_desk() as (here, by):
        raw = signatures.public_key_of(_read(public_key))
        number = here.case_sources.propose(name, raw, by, here.now())
    line(f"{number}: {name} is proposed; its key is {raw.hex()}.")
    OUT.print(f"Next, by another supervisor: duanka keys approve-source {number}")


@command(of_keys, Permission.LIST_CASE_SOURCES)
def sources(
    export: Annotated[
        Path | None, typer.Option(help="Write the sealed list for a machine without the order database.")
    ] = None,
) -> None:
    """List every source of police cases: proposer, approver, state and key."""
    with at_desk() as (here, by):
        listed = here.case_sources.listed(by)
        if export:
            chosen = settings.load_settings()
            files.may_export(export, "--export", chosen, earlier=files.CASE_SOURCES, own=chosen.sources_file)
            app_orders.write_sources(here, export)
    rows = (
        (one.id, one.source.name, one.proposed_by, one.approved_by or "-", shown(one.state.words))
        for one in listed
    )
    OUT.print(grid(_SOURCES, rows) if listed else shown(_NO_SOURCE))
    for one in listed:  # in full: two persons compare it with what the police read out
        key = one.source.public_key.hex()
        line(f"{one.id} {one.source.name}: {key}")


def sign(
    file: Annotated[Path, typer.Argument(help="The file of cases, as it is delivered.")],
    key: Annotated[Path, typer.Option(help="The private key of the source, Ed25519, PEM.")],
) -> None:
    """Write the signature beside the file. It is the source's own act: the key stays with the police."""
    beside = file.with_name(file.name + SIGNATURE_ENDING)
    beside.write_bytes(signatures.sign(_read(file), _read(key)))
    line(f"Signed: {beside}. Deliver it before the file, or together.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableInput(f"{path}: cannot be read ({error.strerror})") from None
