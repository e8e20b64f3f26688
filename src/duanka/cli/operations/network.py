"""`duanka network`: network elements, configured once for all processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import print_list
from duanka.cli.people.acting import BecauseFull, Full, Why, at_desk, command
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import OUT
from duanka.domain.authority import Permission

if TYPE_CHECKING:
    from duanka.bootstrap import order_resources
    from duanka.cli.orders import listings
    from duanka.orders.queries import service as reading
else:
    order_resources = lazily("duanka.bootstrap.order_resources")
    listings = lazily("duanka.cli.orders.listings")
    reading = lazily("duanka.orders.queries.service")

ElementName = Annotated[str, typer.Argument(help="home_register, call_proxy or message_proxy.")]


commands = typer.Typer()
network = new_group(commands, "network")


@command(network, Permission.LIST_ELEMENTS, "list")
@lists(whole=True)
def listed(asked: ListOptions) -> None:
    """List the elements in the order database: those to which every process sends changes."""
    with at_desk(check_network=False) as (here, _):
        print_list(listings.ELEMENTS, here.elements.addresses().items(), asked)


@command(network, Permission.CONFIGURE_NETWORK, "set")
def set_element(
    element: ElementName,
    address: Annotated[
        str, typer.Argument(help="HOST:VTY:CTRL of a home register, or the folder of a proxy.")
    ],
    why: Why,
) -> None:
    """Put an element in, or say where it is now."""
    with at_desk(check_network=False) as (here, person):
        where = order_resources.element_address(element, address)
        told = here.elements.set(element, where, person, why, here.now())
    OUT.print(f"{element} is at {where}; {told:,} stopped card(s) will be told to it.")
    OUT.print("Restart every `duanka serve`, so that it speaks with it.")


@command(network, Permission.CONFIGURE_NETWORK)
def remove(element: ElementName, why: Why) -> None:
    """Remove an element: no more changes are sent to it."""
    with at_desk(check_network=False) as (here, person):
        here.elements.remove(element, person, why, here.now())
    OUT.print(f"No more changes are sent to {element}. Restart every `duanka serve`.")


@command(network, Permission.LIST_DRIFTS)
@lists()
def differences(asked: ListOptions, full: Full = False, why: BecauseFull = "") -> None:
    """List differences between network and order database that are not mended yet, the latest first."""
    with at_desk() as (here, person):
        reader = reading.ViewerContext(person, full, why)
        found = here.reading.drifts(reader, here.now(), 200, is_open=True)
        print_list(listings.DIFFERENCES, found, asked.of(person))


@command(network, Permission.ALLOW_CHANGES)
def allow(
    element: ElementName,
    changes: Annotated[int, typer.Option(help="How many cards, as the alarm says.")],
    why: Why,
) -> None:
    """Let the next comparison of an element change more cards than the policy's reconcile_max, within a day."""
    with at_desk() as (here, person):
        here.elements.allow(element, changes, person, why, here.now())
    OUT.print(f"The next comparison of {element} may change {changes:,} cards.")
