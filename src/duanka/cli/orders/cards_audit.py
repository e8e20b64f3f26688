"""`duanka cards` and `audit`: facts about a card, integrity of the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from duanka.cli.orders.database import say_upgrade
from duanka.cli.output.lists import say
from duanka.cli.people.acting import AtDesk, BecauseFull, Full, Why, card_meant, command
from duanka.cli.shell.completion import orders_like
from duanka.cli.shell.lazy import lazily
from duanka.cli.shell.process import ExitCode
from duanka.domain.authority import Permission, may

if TYPE_CHECKING:
    from duanka.bootstrap import orders as app_orders
    from duanka.bootstrap.settings import Settings
    from duanka.cli.orders import orders_tables as tables
    from duanka.cli.orders import takes_tables
    from duanka.ledger.audit import trail
    from duanka.orders.queries import service as reading
else:
    app_orders = lazily("duanka.bootstrap.orders")
    tables = lazily("duanka.cli.orders.orders_tables")
    takes_tables = lazily("duanka.cli.orders.takes_tables")
    trail = lazily("duanka.ledger.audit.trail")
    reading = lazily("duanka.orders.queries.service")


def add_desk(cli: typer.Typer, out: Console, err: Console, settings: Callable[[], Settings]) -> None:
    """Add `cards` and `audit` to the commands."""
    _add_cards(cli, out, AtDesk(settings))
    _add_audit(cli, out, err, AtDesk(settings))


def _add_cards(cli: typer.Typer, out: Console, at_desk: AtDesk) -> None:
    cards = typer.Typer(help="Cards 号码: everything that the order book knows of one.", no_args_is_help=True)
    cli.add_typer(cards, name="cards")

    @cards.callback()
    def group() -> None:
        """Keep the group: without a callback, Typer folds a single command into it."""

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
        """Show a card: its state, its orders, what the network has in force, what it was refused."""
        with at_desk(Permission.READ_DOSSIER) as (here, person):
            number = card_meant(here, card)
            found = here.reading.dossier(
                number, reading.ViewerContext(person, full, why, case), app_orders.now()
            )
            out.print(tables.dossier_page(found, here.book.terms.policy, out.width), highlight=False)
            kept = here.takes.kept_of(number, person) if may(person.role, Permission.LIST_TAKES) else ()
        if kept:
            out.print(takes_tables.kept_page(kept), highlight=False)


def _add_audit(cli: typer.Typer, out: Console, err: Console, at_desk: AtDesk) -> None:
    audit = typer.Typer(help="The audit trail 审计.", no_args_is_help=True)
    cli.add_typer(audit, name="audit")

    @command(audit, Permission.VERIFY_AUDIT)
    def verify(
        kept: Annotated[
            list[str] | None,
            typer.Option(
                help="An end kept elsewhere, SEQ:HASH or a FILE of `audit end --out`; several times."
            ),
        ] = None,
    ) -> None:
        """Read the whole trail and name every row that was changed, removed or moved; exit code 4 when one was."""
        faults, rows = 0, 0
        with at_desk(Permission.VERIFY_AUDIT) as (here, _):
            with here.store.reading() as connection:
                upgrades = here.trail.upgrades(connection)
            ends = [here.ends.end_of(one) for one in kept or ()]
            for found in here.trail.verify(here.store, [(end.seq, end.hash) for end in ends]):
                if isinstance(found, trail.Fault):
                    faults += 1
                    out.print(tables.fault_line(found), highlight=False)
                else:
                    rows = found
                    if err.is_terminal:
                        err.print(f"{rows:,} rows", end="\r", highlight=False)
        if faults:
            out.print(
                f"The trail does not hold: {faults} fault(s) in {rows:,} rows.", style="red", highlight=False
            )
            raise typer.Exit(ExitCode.LOOK)
        say(
            out,
            f"审计链完整：{rows:,} 行，没有改动、删除或移动。",
            f"The trail holds: {rows:,} rows, none changed, removed or moved.",
        )
        for upgrade in upgrades:
            say_upgrade(out, upgrade)

    @command(audit, Permission.VERIFY_AUDIT)
    def end(
        file: Annotated[
            Path | None, typer.Option("--out", help="A file for it, instead of the terminal.")
        ] = None,
    ) -> None:
        """Print the end of the trail, SEQ:HASH, to keep it where nobody of ours can change it."""
        with at_desk(Permission.VERIFY_AUDIT) as (here, _):
            present = here.ends.present()
            if file is None:
                out.print(f"{present.seq}:{present.hash}", highlight=False, soft_wrap=True)
            else:
                here.ends.write(file, present, app_orders.now())

    @command(audit, Permission.ACCEPT_RESTORED, "accept-restored")
    def accept_restored(why: Why) -> None:
        """Go on with a database that is older than an end of its trail: a restored backup, after a look at it."""
        with at_desk(Permission.ACCEPT_RESTORED) as (here, person):
            accepted, passed = app_orders.accept_restored(here, person, why, app_orders.now())
        for seq in sorted({older.seq for older in accepted}):
            out.print(f"Accepted without the rows up to {seq}.", highlight=False)
        if passed:
            out.print(f"{passed:,} holder(s) who passed since the backup passed again.", highlight=False)
        out.print("Deadlines, notices and comparisons go on.", highlight=False)
