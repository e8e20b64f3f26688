"""`duanka store`: what a store holds; the records of a card, and who was in contact with whom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.output.list_columns import Item, Listing, csv_rows
from duanka.cli.output.lists import line, say, table_lines
from duanka.cli.people.acting import Why, at_desk, cards_in_file, command
from duanka.cli.shell.language import shown
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import OUT
from duanka.domain.authority import Permission
from duanka.domain.display import SPREADSHEET_MARK
from duanka.domain.errors import DuankaError
from duanka.domain.local_time import operator_zone
from duanka.domain.private_files import put_in_place
from duanka.domain.record_lookups import AttachedTo, LookupRefused, basis_of
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.bootstrap import order_resources, settings
    from duanka.bootstrap import orders as app_orders
    from duanka.bootstrap.outputs import files
    from duanka.cli.store import tables
    from duanka.ledger import lookups
else:
    app_orders = lazily("duanka.bootstrap.orders")
    files = lazily("duanka.bootstrap.outputs.files")
    order_resources = lazily("duanka.bootstrap.order_resources")
    lookups = lazily("duanka.ledger.lookups")
    settings = lazily("duanka.bootstrap.settings")
    tables = lazily("duanka.cli.store.tables")

_WRITTEN = BilingualText("{out} 中有 {rows} 条记录", "{rows} rows are in {out}")
_ATTACHED = {
    AttachedTo.NONE: BilingualText(
        "记录库已关联：凭本工单库查询即予应答。",
        "The store is attached: it answers lookups of this order database.",
    ),
    AttachedTo.ANOTHER: BilingualText(
        "记录库已改为关联本工单库；先前关联的工单库不能再查询它。",
        "The store is attached to this order database, and no longer to the one of before, which can look nothing up"
        " in it any more.",
    ),
    AttachedTo.THIS: BilingualText(
        "记录库已关联本工单库，未作改动。",
        "The store was attached to this order database already; nothing changed.",
    ),
}
Folder = Annotated[Path | None, typer.Option("--store", help="The store; else DUANKA_STORE.")]
Named = Annotated[
    Path | None, typer.Argument(metavar="[STORE]", help="Folder of the store; else DUANKA_STORE.")
]
Case = Annotated[str | None, typer.Option("--case", help="Number of the case that the lookup is about.")]
OfOrder = Annotated[str | None, typer.Option("--order", help="Or id of the order.")]
Notice = Annotated[str | None, typer.Option("--police-notice", help="Or number of the police's notice.")]
Unmasked = Annotated[bool, typer.Option("--full", "--unmasked", help="Show numbers and devices in full.")]
Until = Annotated[
    str | None,
    typer.Option("--until", help="Up to this time; by default the end of the last day that the store has."),
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Write CSV to this new file instead of the terminal.")
]

commands = typer.Typer()
store = new_group(commands, "store")


@store.command()
def status(folder: Named = None) -> None:
    """Show what a store holds: days, records by table, bytes, what was late, what is kept until when."""
    OUT.print(tables.status_page(order_resources.status_in(folder or settings.load_settings().store)))


@command(store, Permission.LOOK_UP_RECORDS)
def card(
    number: Annotated[str, typer.Argument(metavar="CARD", help="For example 13800000000, or a pseudonym.")],
    why: Why,
    case: Case = None,
    order: OfOrder = None,
    police_notice: Notice = None,
    days: Annotated[int, typer.Option("--days", help="How many days.")] = 30,
    until: Until = None,
    folder: Folder = None,
    full: Unmasked = False,
    out: Out = None,
) -> None:
    """Show every record of a card: calls, messages, where it was seen, data. The trail keeps who and why."""
    with at_desk() as (here, person):
        if out:
            files.may_export(out, "--out", settings.load_settings())
        reader = lookups.LookupContext(person, why, basis_of(case, order, police_notice), full)
        end = operator_zone().read(until, "--until") if until else None
        found = app_orders.records_in(here, folder).card(number, reader, here.now(), days, end)
    say(*tables.card_title(found))
    if found.records:
        _print(tables.records_listing(found.period.zone), found.records, out)


@command(store, Permission.LOOK_UP_CONTACTS)
def contacts(
    why: Why,
    numbers: Annotated[
        list[str] | None, typer.Argument(metavar="[NUMBER]...", help="Cards or foreign numbers.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--from", help="A file of numbers: a line each, or a table.")
    ] = None,
    case: Case = None,
    order: OfOrder = None,
    police_notice: Notice = None,
    hours: Annotated[int, typer.Option("--hours", help="How many hours.")] = 72,
    until: Until = None,
    folder: Folder = None,
    full: Unmasked = False,
    out: Out = None,
) -> None:
    """Show everybody with whom numbers, ours or foreign, were in contact by call or message."""
    with at_desk() as (here, person):
        if out:
            files.may_export(out, "--out", settings.load_settings())
        basis = basis_of(case, order, police_notice)
        named = [*(numbers or ()), *(cards_in_file(file) if file else ())]
        if not named:
            raise LookupRefused("no number is named: give numbers, or a file of them with --from")
        reader = lookups.LookupContext(person, why, basis, full)
        end = operator_zone().read(until, "--until") if until else None
        found = app_orders.records_in(here, folder).contacts(named, reader, here.now(), hours, end)
    say(*tables.contacts_title(found))
    if found.contacts:
        _print(tables.contacts_listing(found.period.zone), found.contacts, out)


@command(store, Permission.ATTACH_STORE)
def attach(why: Why, folder: Named = None) -> None:
    """Attach a store to this order database, whose audit trail then tells every lookup in it."""
    with at_desk() as (here, person):
        before = app_orders.attach_store(here, folder, person, why)
    say(*_ATTACHED[before])


def _print(listing: Listing[Item], items: Sequence[Item], out: Path | None) -> None:
    """Print all rows, or write them to a private file. DuankaError: it cannot be written."""
    if out is None:
        for text in table_lines(listing, items, OUT.width):
            line(text)
        return
    try:
        with put_in_place(out) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
            file.write(SPREADSHEET_MARK)
            file.writelines(csv_rows(listing, items))
    except OSError as error:
        raise DuankaError(f"{out} cannot be written: {error.strerror}") from error
    OUT.print(shown(_WRITTEN, rows=f"{len(items):,}", out=out))
