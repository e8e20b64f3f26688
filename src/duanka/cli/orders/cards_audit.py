"""`duanka cards` and `audit`: facts about a card, integrity of the audit trail."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.orders.database import say_upgrade
from duanka.cli.output.lists import line, say
from duanka.cli.papers import of_cards
from duanka.cli.people.acting import BecauseFull, Full, Why, at_desk, card_meant, command
from duanka.cli.shell.completion import orders_like
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import ERR, OUT, ExitCode
from duanka.domain.authority import Permission, may

if TYPE_CHECKING:
    from duanka.bootstrap import orders as app_orders
    from duanka.bootstrap import settings
    from duanka.bootstrap.outputs import files
    from duanka.cli.orders import orders_tables as tables
    from duanka.cli.orders import takes_tables
    from duanka.ledger.audit import trail
    from duanka.orders.queries import service as reading
else:
    app_orders = lazily("duanka.bootstrap.orders")
    files = lazily("duanka.bootstrap.outputs.files")
    settings = lazily("duanka.bootstrap.settings")
    tables = lazily("duanka.cli.orders.orders_tables")
    takes_tables = lazily("duanka.cli.orders.takes_tables")
    trail = lazily("duanka.ledger.audit.trail")
    reading = lazily("duanka.orders.queries.service")


commands = typer.Typer()
cards, audit = new_group(commands, "cards"), new_group(commands, "audit")


@command(cards, Permission.READ_DOSSIER)
def show(
    card: Annotated[
        str,
        typer.Argument(
            help="For example 13800000000, or the id of an order about it.", autocompletion=orders_like
        ),
    ],
    full: Full = False,
    why: BecauseFull = "",
    case: Annotated[str, typer.Option(help="Number of the case, for the police.")] = "",
) -> None:
    """Show a card: its state, its orders, its state in the network, its refused calls and messages."""
    with at_desk() as (here, person):
        number = card_meant(here, card)
        found = here.reading.dossier(number, reading.ViewerContext(person, full, why, case), here.now())
        OUT.print(tables.dossier_page(found, here.orders.terms.policy, OUT.width))
        kept = here.takes.kept_about(number, person) if may(person.role, Permission.LIST_TAKES) else ()
    if kept:
        OUT.print(takes_tables.kept_decisions_page(kept))


cards.add_typer(of_cards.commands)


@command(audit, Permission.VERIFY_AUDIT)
def verify(
    kept: Annotated[
        list[str] | None,
        typer.Option(help="An end kept elsewhere, SEQ:HASH or a FILE of `audit end --out`; several times."),
    ] = None,
) -> None:
    """Read the whole trail and name every row that was changed, removed or moved; exit code 4 when one was."""
    faults, rows = 0, 0
    with at_desk() as (here, _):
        with here.store.reading() as connection:
            upgrades = here.trail.upgrades(connection)
        ends = [here.ends.end_of(one) for one in kept or ()]
        for found in here.trail.verify(here.store, [(end.seq, end.hash) for end in ends]):
            if isinstance(found, trail.Fault):
                faults += 1
                OUT.print(tables.fault_line(found))
            else:
                rows = found
                if ERR.is_terminal:
                    ERR.print(f"{rows:,} rows", end="\r")
    if faults:
        OUT.print(f"The trail does not hold: {faults} fault(s) in {rows:,} rows.", style="red")
        raise typer.Exit(ExitCode.LOOK)
    say(
        f"审计链完整：{rows:,} 行，没有改动、删除或移动。",
        f"The trail holds: {rows:,} rows, none changed, removed or moved.",
    )
    for upgrade in upgrades:
        say_upgrade(upgrade)


@command(audit, Permission.VERIFY_AUDIT)
def end(
    file: Annotated[
        Path | None, typer.Option("--out", help="A file for it, instead of the terminal.")
    ] = None,
) -> None:
    """Print the end of the trail, SEQ:HASH, to keep where none of our staff can change it."""
    with at_desk() as (here, _):
        present = here.ends.present()
        if file is None:
            line(f"{present.seq}:{present.hash}")
        else:
            files.may_export(file, "--out", settings.load_settings(), earlier=files.TRAIL_END)
            here.ends.write(file, present, here.now())


@command(audit, Permission.ACCEPT_RESTORED, "accept-restored")
def accept_restored(why: Why) -> None:
    """Accept a restored backup, which is older than a kept end of its trail; examine it first."""
    with at_desk() as (here, person):
        accepted, passed = app_orders.accept_restored(here, person, why, here.now())
    for seq in sorted({older.seq for older in accepted}):
        OUT.print(f"Accepted, although rows of the trail up to {seq} are missing.")
    if passed:
        OUT.print(f"{passed:,} pass(es) of holders since the backup are in force again.")
    OUT.print("Deadlines, notices and comparisons go on.")
