"""`duanka links`: the graph of cards, and the ring behind one of them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import load_settings
from duanka.cli.detection.record_options import MappingFile, PolicyName, TableLanguage, steps
from duanka.cli.orders import order_moves
from duanka.cli.output.lists import say
from duanka.cli.people.acting import at_desk, cards_in_file, command
from duanka.cli.shell.language import asked_for, language_of_texts
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import CAUTION, ERR, OUT, Prose
from duanka.cli.store.lookups import Case, Notice, OfOrder, Unmasked
from duanka.domain import ring_lookups
from duanka.domain.authority import Permission, may
from duanka.domain.order import Event
from duanka.domain.person import Person
from duanka.domain.phone_number import identity
from duanka.domain.record_lookups import basis_of
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.bootstrap import orders as app_orders
    from duanka.bootstrap.links import answers, building, ownership, source_path, statements
    from duanka.bootstrap.links.answers import GraphAnswers
    from duanka.bootstrap.links.building import Built
    from duanka.bootstrap.outputs import folders
    from duanka.cli.detection import scan_tables
    from duanka.cli.links import tables
    from duanka.ledger import lookups
    from duanka.links.answers import FoundRing, FoundTable
    from duanka.orders import ring_stops
    from duanka.orders.queries.ring_queries import RingQueries
else:
    answers = lazily("duanka.bootstrap.links.answers")
    building = lazily("duanka.bootstrap.links.building")
    app_orders = lazily("duanka.bootstrap.orders")
    folders = lazily("duanka.bootstrap.outputs.folders")
    ownership = lazily("duanka.bootstrap.links.ownership")
    statements = lazily("duanka.bootstrap.links.statements")
    lookups = lazily("duanka.ledger.lookups")
    ring_stops = lazily("duanka.orders.ring_stops")
    scan_tables = lazily("duanka.cli.detection.scan_tables")
    source_path = lazily("duanka.bootstrap.links.source_path")
    tables = lazily("duanka.cli.links.tables")

Source = Annotated[
    Path, typer.Argument(metavar="LINKS|STORE|DATA", help="A graph, else a store or a directory of records.")
]

Rows = Annotated[int, typer.Option("--rows", min=1, help="How many rows to show.")]

_OPTIONS = {"device": "--imei", "card": "--card", "outlet": "--outlet", "ring": "--ring"}

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
    disowned: Annotated[
        Path | None,
        typer.Option(
            "--disowned",
            help="A file of cards that their registrants disowned, beside those of the store's order database:"
            " evidence about outlets.",
        ),
    ] = None,
    upheld: Annotated[
        Path | None,
        typer.Option(
            "--upheld",
            help="A file of cards about which an objection was upheld, beside those of the store's order database: in"
            " no ring.",
        ),
    ] = None,
    policy: PolicyName = "national",
    mapping: MappingFile = None,
) -> None:
    """Build the graph of all cards: what each shares with others, and how much that tells."""
    settings, files = load_settings(), statements.StatedCards(_cards_of(disowned), _cards_of(upheld))
    stated = statements.Statements(files)
    if ownership.belongs_to_orders(data):
        stated = app_orders.stated_about(settings, data, files)
    with steps() as shown:
        built = building.build(
            settings, data, out, policy_named(policy), mapping, shown, deliver=deliver, stated=stated
        )
    _say_what_was_not_used(built, data)
    OUT.print(tables.graph_page(built.graph, built.period))
    if built.read:
        OUT.print(tables.days_read(built.read.days, built.read.read, built.read.why), highlight=False)
    if stated.unread:
        say(
            f"未读取工单库中的否认开户和异议成立：{stated.unread}",
            f"What the order database knows of disowned and upheld cards was not read: {stated.unread}",
        )
    if any((stated.all.disowned, stated.all.upheld, stated.all.confirmed)):
        say(*tables.stated_line(stated))
    for file, cards, words in (
        (disowned, files.disowned, tables.DISOWNED),
        (upheld, files.upheld, tables.UPHELD),
    ):
        if file:
            OUT.print(tables.taken(file, words, cards, built.graph))
    say(
        f"下一步：duanka links rings {out}，或 duanka links around {out} --imei IMEI",
        f"Next: duanka links rings {out}, or duanka links around {out} --imei IMEI",
    )


def _cards_of(file: Path | None) -> list[str]:
    return [identity(card) for card in cards_in_file(file)] if file else []


def _say_what_was_not_used(built: Built, data: Path) -> Built:
    if built.findings:
        for line in scan_tables.not_used(built.findings, data):
            ERR.print(Prose(line, style=CAUTION))
    return built


@links.command()
def around(
    where: Source,
    imei: Annotated[str | None, typer.Option("--imei", help="A device, such as one that was seized.")] = None,
    card: Annotated[str | None, typer.Option("--card", help="Or a card.")] = None,
    outlet: Annotated[str | None, typer.Option("--outlet", help="Or an outlet.")] = None,
    ring: Annotated[str | None, typer.Option("--ring", help="Or a ring of `duanka links rings`.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for ring.html, ring.csv, devices.csv and outlets.csv."),
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
    named = ring_lookups.seed_named(imei, card, outlet, ring)
    if out:
        folders.may_hold_ring(out, where)
    in_language = asked_for(language) or language_of_texts()
    may_propose = True
    with _graph(where, out or Path.cwd(), policy, mapping) as graph:
        if ownership.belongs_to_orders(where):
            with _rings(where, graph, Permission.LOOK_UP_CONTACTS) as (queries, person, now):
                may_propose = may(person.role, Permission.PROPOSE_BULK_ACTION)
                basis = basis_of(case, order, police_notice)
                reader = lookups.LookupContext(person, why or "", basis, full)
                found = queries.around(named, reader, now)
        else:
            found = graph.around(named)
    OUT.print(tables.ring_page(found.ring, found.period))
    if out:
        found.write(out, in_language)
        say(
            f"全图和清单在 {out}，请打开 ring.html", f"The picture and the lists are in {out}; open ring.html"
        )
    if may_propose and source_path.is_graph(where) and ring_stops.may_be_stopped(found):
        bases = {"--case": case, "--order": order, "--police-notice": police_notice}
        proposes = _stop_command(where, named, bases)
        say(
            f"要对其中有把握的号码停机，由两人决定：{proposes}",
            f"To have the likely ones stopped, which two people decide: {proposes}",
        )


def _stop_command(where: Path, named: ring_lookups.SeedName, bases: Mapping[str, str | None]) -> str:
    """The command that proposes a stop, to be copied: with the seed as its reader typed it, and their basis."""
    given = [word for option, number in bases.items() if number for word in (option, number)]
    words = [
        str(where),
        _OPTIONS[named.kind],
        named.text,
        "--reason",
        "原因",
        "--reason-en",
        "reason",
        *given,
    ]
    return f"duanka links stop {shlex.join(words)}"


@command(links, Permission.PROPOSE_BULK_ACTION)
def stop(
    graph: Annotated[
        Path, typer.Argument(metavar="LINKS", help="The graph, as `duanka links build` made it.")
    ],
    reason: order_moves.Reason,
    reason_en: order_moves.ReasonEn,
    ring: Annotated[str | None, typer.Option("--ring", help="A ring of `duanka links rings`.")] = None,
    imei: Annotated[str | None, typer.Option("--imei", help="Or the ring behind a device.")] = None,
    card: Annotated[str | None, typer.Option("--card", help="Or behind a card.")] = None,
    outlet: Annotated[str | None, typer.Option("--outlet", help="Or behind an outlet.")] = None,
    certainty: Annotated[
        float, typer.Option(min=0.5, max=0.99, help="Cards whose certainty is above this one alone.")
    ] = 0.5,
    how: order_moves.HowToStop = "suspend",
    until: order_moves.PunishedUntil = None,
    case: Case = None,
    order: OfOrder = None,
    police_notice: Notice = None,
) -> None:
    """Propose to stop the cards of a ring; a second person approves with `duanka orders approve`.

    Where the graph belongs to an order database, give one of --case, --order and --police-notice: it is a lookup.
    """
    with at_desk() as (here, person):
        named = ring_lookups.seed_named(imei, card, outlet, ring)
        words = BilingualText(reason, reason_en)
        asked = ring_stops.RingStop(Event(how), words, certainty, order_moves.end_of_punishment(until))
        source_path.must_hold_graph(graph)
        found = answers.GraphAnswers(load_settings(), lambda: building.load_built(graph))
        now = here.now()
        if ownership.belongs_to_orders(graph):
            ownership.must_belong_here(graph, here.attached_store)
            reader = lookups.LookupContext(person, reason, basis_of(case, order, police_notice))
            at = here.rings.at(lambda: found)
            proposed = ring_stops.look_up_and_propose(at, here.bulk_actions, named, reader, asked, now)
        else:
            proposed = ring_stops.propose_ring_stop(
                here.bulk_actions, found.around(named), asked, person, now
            )
        OUT.print(tables.ring_stop_page(proposed, certainty))
        order_moves.print_proposed(proposed.act)
        order_moves.print_running(here, proposed.act)


@links.command()
def rings(
    where: Source, rows: Rows = 20, policy: PolicyName = "national", mapping: MappingFile = None
) -> None:
    """List the communities worth a look: those with more cards at risk than chance has, the worst first."""
    found, may_look_up = _listed(
        where, policy, mapping, lambda queries, by: queries.rings(by), lambda graph: graph.rings()
    )
    OUT.print(tables.rings_page(found.frame, rows))
    if may_look_up:
        say(
            f"下一步：duanka links around {where} --ring 编号",
            f"Next: duanka links around {where} --ring ID",
        )


@links.command()
def outlets(
    where: Source, rows: Rows = 20, policy: PolicyName = "national", mapping: MappingFile = None
) -> None:
    """Rank outlets by how far, at least, their share of cards at risk exceeds that of their peers."""
    found, _ = _listed(
        where, policy, mapping, lambda queries, by: queries.outlets(by), lambda graph: graph.outlets()
    )
    OUT.print(tables.outlets_page(found.frame, rows, found.first))


@links.command()
def devices(
    where: Source, rows: Rows = 20, policy: PolicyName = "national", mapping: MappingFile = None
) -> None:
    """List devices that are no ordinary phones: SIM boxes first, bridged phones, firms' gateways and others."""
    found, may_look_up = _listed(
        where, policy, mapping, lambda queries, by: queries.devices(by), lambda graph: graph.devices()
    )
    OUT.print(tables.devices_page(found.frame, rows))
    if may_look_up:
        say(
            f"下一步：duanka links around {where} --ring 编号，或 --imei 终端",
            f"Next: duanka links around {where} --ring ID, or --imei DEVICE",
        )


def _listed(
    where: Path,
    policy: str,
    mapping: Path | None,
    for_person: Callable[[RingQueries[FoundRing, FoundTable], Person], FoundTable],
    for_owner: Callable[[GraphAnswers], FoundTable],
) -> tuple[FoundTable, bool]:
    """A list of the graph, and whether its reader may look up the rings that it names.

    `for_person` asks where the graph belongs to an order database, `for_owner` elsewhere.
    """
    with _graph(where, Path.cwd(), policy, mapping) as graph:
        if not ownership.belongs_to_orders(where):
            return for_owner(graph), True
        with _rings(where, graph, Permission.READ_RINGS) as (queries, person, _):
            return for_person(queries, person), may(person.role, Permission.LOOK_UP_CONTACTS)


@contextmanager
def _graph(where: Path, work: Path, policy: str, mapping: Path | None) -> Iterator[GraphAnswers]:
    """The graph in `where`, or of the store or the records there: built when it is asked first."""
    settings, chosen = load_settings(), policy_named(policy)
    with steps() as shown:

        def opened() -> Built:
            return _say_what_was_not_used(
                building.opened(settings, where, work, chosen, mapping, shown), where
            )

        yield answers.GraphAnswers(settings, opened)


@contextmanager
def _rings(
    where: Path, graph: GraphAnswers, permission: Permission
) -> Iterator[tuple[RingQueries[FoundRing, FoundTable], Person, datetime]]:
    """Lookups in the graph of an attached store, the acting person, and the time."""
    with ownership.answering_people(where), at_desk(permission) as (here, person):

        def source() -> GraphAnswers:
            ownership.must_belong_here(where, here.attached_store)
            return graph

        yield here.rings.at(source), person, here.now()
