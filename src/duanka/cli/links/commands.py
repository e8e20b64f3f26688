"""`duanka links`: the graph of cards, and the ring behind one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import load_settings
from duanka.cli.detection.record_options import MappingFile, PolicyName, TableLanguage, steps
from duanka.cli.output.lists import say
from duanka.cli.people.acting import at_desk
from duanka.cli.shell.language import asked_for, language_of_texts
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import OUT
from duanka.cli.store.lookups import Case, Notice, OfOrder, Unmasked
from duanka.domain.authority import Permission
from duanka.domain.record_lookups import basis_of

if TYPE_CHECKING:
    from duanka.bootstrap.links import access, asking, building, ownership
    from duanka.bootstrap.links.asking import SeedName
    from duanka.bootstrap.outputs import folders
    from duanka.cli.links import tables
    from duanka.links.ring import files as ring_files
    from duanka.orders.queries import record_queries
else:
    access = lazily("duanka.bootstrap.links.access")
    folders = lazily("duanka.bootstrap.outputs.folders")
    ownership = lazily("duanka.bootstrap.links.ownership")
    record_queries = lazily("duanka.orders.queries.record_queries")
    asking = lazily("duanka.bootstrap.links.asking")
    building = lazily("duanka.bootstrap.links.building")
    ring_files = lazily("duanka.links.ring.files")
    tables = lazily("duanka.cli.links.tables")

Source = Annotated[
    Path, typer.Argument(metavar="LINKS|STORE|DATA", help="A graph, else a store or a directory of records.")
]

Rows = Annotated[int, typer.Option("--rows", min=1, help="How many rows to show.")]

commands = typer.Typer()
links = new_group(commands, "links")


@links.command()
def build(
    data: Annotated[Path, typer.Argument(metavar="STORE|DATA", help="A store, or a directory of records.")],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the graph; an earlier one in it is replaced.")
    ],
    deliver: Annotated[
        Path | None,
        typer.Option(
            "--deliver", help="Also write the table of rings for the next scan: INBOX/rings.parquet."
        ),
    ] = None,
    policy: PolicyName = "national",
    mapping: MappingFile = None,
) -> None:
    """Build the graph of all cards: what each shares with others, and how much that tells."""
    with steps() as shown:
        built = building.build(load_settings(), data, out, policy_named(policy), mapping, shown, deliver)
    OUT.print(tables.graph_page(built.graph, built.period))
    say(f"下一步：duanka links around {out} --imei IMEI", f"Next: duanka links around {out} --imei IMEI")


@links.command()
def around(
    where: Source,
    imei: Annotated[str | None, typer.Option("--imei", help="A device, such as one that was seized.")] = None,
    card: Annotated[str | None, typer.Option("--card", help="Or a card.")] = None,
    outlet: Annotated[str | None, typer.Option("--outlet", help="Or an outlet.")] = None,
    ring: Annotated[str | None, typer.Option("--ring", help="Or a ring of `duanka links rings`.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for ring.csv, devices.csv and outlets.csv.")
    ] = None,
    policy: PolicyName = "national",
    mapping: MappingFile = None,
    language: TableLanguage = None,
    why: Annotated[
        str | None, typer.Option("--why", help="The reason, where the store belongs to an order database.")
    ] = None,
    case: Case = None,
    order: OfOrder = None,
    police_notice: Notice = None,
    full: Unmasked = False,
) -> None:
    """Show the ring behind a device, a card or an outlet: who, which role, where, and why."""
    settings = load_settings()
    named = asking.seed_named(imei, card, outlet, ring)
    if out:
        folders.may_hold_ring(out, where)
    in_language = asked_for(language) or language_of_texts()
    with _entitled(where, named, why, (case, order, police_notice), full) as told:
        with steps() as shown:
            built = building.opened(settings, where, out or Path.cwd(), policy_named(policy), mapping, shown)
            found = asking.ring_of(settings, built, named)
        told(found.cards.height)
    if ownership.belongs_to_orders(where) and not full:
        found = access.masked(found)
    OUT.print(tables.ring_page(found, built.period))
    if out:
        ring_files.write_ring(found, out, in_language)
        say(f"号码、设备和网点在 {out}", f"Cards, devices and outlets are in {out}")


@links.command()
def rings(
    where: Source, rows: Rows = 20, policy: PolicyName = "national", mapping: MappingFile = None
) -> None:
    """List the communities worth a look: those with more cards at risk than chance has, the worst first."""
    with steps() as shown:
        built = building.opened(load_settings(), where, Path.cwd(), policy_named(policy), mapping, shown)
        found = asking.worth_a_look(built)
    OUT.print(tables.rings_page(found, rows))
    say(
        f"下一步：duanka links around {where} --ring 编号",
        f"Next: duanka links around {where} --ring ID",
    )


@links.command()
def outlets(
    where: Source, rows: Rows = 20, policy: PolicyName = "national", mapping: MappingFile = None
) -> None:
    """Rank outlets by how far, at least, their share of cards at risk exceeds that of their peers."""
    with steps() as shown:
        built = building.opened(load_settings(), where, Path.cwd(), policy_named(policy), mapping, shown)
        found = asking.judged_outlets(built)
    OUT.print(tables.outlets_page(found, rows))


@contextmanager
def _entitled(
    where: Path,
    named: SeedName,
    why: str | None,
    basis: tuple[str | None, str | None, str | None],
    full: bool,
) -> Iterator[Callable[[int], None]]:
    """Tell the audit trail of the lookup, where the store belongs to an order database; yields what tells its rows."""
    if not ownership.belongs_to_orders(where):
        yield lambda _: None
        return
    with at_desk(Permission.LOOK_UP_CONTACTS) as (here, person):
        reader = record_queries.LookupContext(person, why or "", basis_of(*basis), full)
        yield access.entitled(here, where, named, reader, here.now())
