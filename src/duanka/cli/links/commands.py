"""`duanka links`: the graph of cards, and the ring behind one of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import load_settings
from duanka.cli.detection.record_options import MappingFile, PolicyName, TableLanguage, steps
from duanka.cli.output.lists import say
from duanka.cli.shell.language import asked_for, language_of_texts
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import OUT

if TYPE_CHECKING:
    from duanka.bootstrap.links import asking, building
    from duanka.cli.links import tables
    from duanka.links import ring_files
else:
    asking = lazily("duanka.bootstrap.links.asking")
    building = lazily("duanka.bootstrap.links.building")
    ring_files = lazily("duanka.links.ring_files")
    tables = lazily("duanka.cli.links.tables")

Source = Annotated[
    Path, typer.Argument(metavar="LINKS|STORE|DATA", help="A graph, else a store or a directory of records.")
]

commands = typer.Typer()
links = new_group(commands, "links")


@links.command()
def build(
    data: Annotated[Path, typer.Argument(metavar="STORE|DATA", help="A store, or a directory of records.")],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the graph; an earlier one in it is replaced.")
    ],
    policy: PolicyName = "national",
    mapping: MappingFile = None,
) -> None:
    """Build the graph of all cards: what each shares with others, and how much that tells."""
    with steps() as shown:
        built = building.build(load_settings(), data, out, policy_named(policy), mapping, shown)
    OUT.print(tables.graph_page(built.graph, built.period))
    say(f"下一步：duanka links around {out} --imei IMEI", f"Next: duanka links around {out} --imei IMEI")


@links.command()
def around(
    where: Source,
    imei: Annotated[str | None, typer.Option("--imei", help="A device, such as one that was seized.")] = None,
    card: Annotated[str | None, typer.Option("--card", help="Or a card.")] = None,
    outlet: Annotated[str | None, typer.Option("--outlet", help="Or an outlet.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for ring.csv, devices.csv and outlets.csv.")
    ] = None,
    policy: PolicyName = "national",
    mapping: MappingFile = None,
    language: TableLanguage = None,
) -> None:
    """Show the ring behind a device, a card or an outlet: who, which role, where, and why."""
    settings = load_settings()
    named = asking.Named(imei, card, outlet)
    with steps() as shown:
        built = building.opened(settings, where, out or Path.cwd(), policy_named(policy), mapping, shown)
        ring = asking.ring_of(settings, built, named)
    OUT.print(tables.ring_page(ring, built.period))
    if out:
        ring_files.write_ring(ring, out, asked_for(language) or language_of_texts())
        say(f"号码、设备和网点在 {out}", f"Cards, devices and outlets are in {out}")
