"""`duanka network`: network elements, configured once for all processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from duanka.cli.orders.orders_list import scope_of
from duanka.cli.output.lists import AsCSV, AsJSON, Count, ListOptions, PageNumber, Rows, options, print_list
from duanka.cli.people.acting import AtDesk, BecauseFull, Full, Why, command
from duanka.cli.shell.lazy import lazily
from duanka.domain.authority import Permission

if TYPE_CHECKING:
    from duanka.bootstrap import order_resources
    from duanka.bootstrap import orders as app_orders
    from duanka.bootstrap.settings import Settings
    from duanka.cli.orders import listings
    from duanka.orders.queries import service as reading
else:
    app_orders = lazily("duanka.bootstrap.orders")
    order_resources = lazily("duanka.bootstrap.order_resources")
    listings = lazily("duanka.cli.orders.listings")
    reading = lazily("duanka.orders.queries.service")

ElementName = Annotated[str, typer.Argument(help="home_register, call_proxy or message_proxy.")]


def add_network(cli: typer.Typer, out: Console, settings: Callable[[], Settings]) -> None:
    """Add `network` to the commands."""
    network = typer.Typer(
        help="The network's elements 网元: where orders are carried out.", no_args_is_help=True
    )
    cli.add_typer(network, name="network")
    _add_elements(network, out, AtDesk(settings, check_network=False))
    _add_comparing(network, out, AtDesk(settings))


def _add_elements(network: typer.Typer, out: Console, at_desk: AtDesk) -> None:
    @command(network, Permission.LIST_ELEMENTS, "list")
    def listed(count: Count = False, as_json: AsJSON = False, as_csv: AsCSV = False) -> None:
        """List the elements in the order book, which every process tells."""
        with at_desk(Permission.LIST_ELEMENTS) as (here, _):
            asked = ListOptions("network list", as_json, as_csv, count, whole=True)
            print_list(out, listings.ELEMENTS, here.elements.addresses().items(), asked)

    @command(network, Permission.CONFIGURE_NETWORK, "set")
    def set_element(
        element: ElementName,
        address: Annotated[
            str, typer.Argument(help="HOST:VTY:CTRL of a home register, or the folder of a proxy.")
        ],
        why: Why,
    ) -> None:
        """Put an element in, or say where it is now."""
        with at_desk(Permission.CONFIGURE_NETWORK) as (here, person):
            where = order_resources.element_address(element, address)
            told = here.elements.set(element, where, person, why, app_orders.now())
        out.print(f"{element} is at {where}; {told:,} stopped card(s) will be told to it.", highlight=False)
        out.print("Restart every `duanka serve`, so that it speaks with it.", highlight=False)

    @command(network, Permission.CONFIGURE_NETWORK)
    def remove(element: ElementName, why: Why) -> None:
        """Take an element out: nothing more is told to it."""
        with at_desk(Permission.CONFIGURE_NETWORK) as (here, person):
            here.elements.remove(element, person, why, app_orders.now())
        out.print(f"{element} is told nothing more. Restart every `duanka serve`.", highlight=False)


def _add_comparing(network: typer.Typer, out: Console, at_desk: AtDesk) -> None:
    @command(network, Permission.LIST_DRIFTS)
    def differences(
        count: Count = False,
        page: PageNumber = 1,
        limit: Rows = None,
        as_json: AsJSON = False,
        as_csv: AsCSV = False,
        full: Full = False,
        why: BecauseFull = "",
    ) -> None:
        """List where the network does otherwise than the order book says and is not mended, the latest first."""
        with at_desk(Permission.LIST_DRIFTS) as (here, person):
            reader = reading.ViewerContext(person, full, why)
            found = here.reading.drifts(reader, app_orders.now(), 200, is_open=True)
            typed = options({"full": full, "why": why if full else ""})
            asked = ListOptions(
                "network differences", as_json, as_csv, count, page, limit, typed, scope_of(person)
            )
            print_list(out, listings.DIFFERENCES, found, asked)

    @command(network, Permission.ALLOW_CHANGES)
    def allow(
        element: ElementName,
        changes: Annotated[int, typer.Option(help="How many cards, as the alarm says.")],
        why: Why,
    ) -> None:
        """Let the next comparison of an element change more cards than the policy's reconcile_max, within a day."""
        with at_desk(Permission.ALLOW_CHANGES) as (here, person):
            here.elements.allow(element, changes, person, why, app_orders.now())
        out.print(f"The next comparison of {element} may change {changes:,} cards.", highlight=False)
