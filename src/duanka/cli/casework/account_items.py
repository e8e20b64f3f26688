"""`duanka accounts items`, `agree`, `block`, ...: hosts, numbers and accounts that are to be taken down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import every, print_list, say
from duanka.cli.people.acting import Why, at_desk, command
from duanka.cli.shell.lazy import lazily
from duanka.domain.authority import Permission
from duanka.domain.takedown import IndicatorKind, ItemState

if TYPE_CHECKING:
    from duanka.casework.accounts import takedown
    from duanka.cli.casework import accounts_tables as tables
else:
    tables = lazily("duanka.cli.casework.accounts_tables")
    takedown = lazily("duanka.casework.accounts.takedown")

ItemId = Annotated[str, typer.Argument(metavar="ITEM", help="Id of the item, from `accounts items`.")]


def add_to(group: typer.Typer) -> None:
    """Add the commands about items for take-down to a group."""

    @command(group, Permission.LIST_TAKEDOWN)
    @lists()
    def items(
        state: Annotated[
            list[ItemState] | None, typer.Option("--state", help="Only items in this state.")
        ] = None,
        kind: Annotated[IndicatorKind | None, typer.Option("--kind", help="Only items of this kind.")] = None,
        blocked: Annotated[
            bool, typer.Option("--blocked", help="Only those that the filter refuses.")
        ] = False,
        *,
        asked: ListOptions,
    ) -> None:
        """List what refused messages and complaints name, the last seen first."""
        with at_desk() as (here, person):
            which = takedown.ItemFilter(tuple(state or ()), kind, blocked)

            def fetch(after: str, limit: int) -> tables.FetchedItems:
                page = here.casework.accounts.items.page(which, person, after or None, limit)
                return tables.FetchedItems(page.items, page.following)

            print_list(tables.ITEMS, every(fetch), asked.of(person))

    @command(group, Permission.AGREE_TAKEDOWN)
    def agree(item: ItemId, why: Why) -> None:
        """Agree that an item is fraud's."""
        _move(item, ItemState.AGREED, why)

    @command(group, Permission.AGREE_TAKEDOWN, "pass-on")
    def pass_on(
        item: ItemId, why: Why, to: Annotated[str, typer.Option("--to", help="To whom, like a registrar.")]
    ) -> None:
        """Say that an item was passed on to who takes it down."""
        _move(item, ItemState.PASSED_ON, why, to)

    @command(group, Permission.AGREE_TAKEDOWN, "taken-down")
    def taken_down(item: ItemId, why: Why) -> None:
        """Say that an item was taken down."""
        _move(item, ItemState.TAKEN_DOWN, why)

    @command(group, Permission.AGREE_TAKEDOWN)
    def dismiss(item: ItemId, why: Why) -> None:
        """Say that an item is not fraud's; messages with it pass again."""
        _move(item, ItemState.REJECTED, why)

    @command(group, Permission.BLOCK_TAKEDOWN)
    def block(item: ItemId, why: Why) -> None:
        """Let the message filter refuse an item, as somebody else than who agreed that it is fraud's."""
        with at_desk() as (here, person):
            here.casework.accounts.items.block(item, person, why, here.now())
        say(f"{item}：数秒内短信拦截生效。", f"{item}: messages with it are refused within seconds.")

    @command(group, Permission.BLOCK_TAKEDOWN)
    def unblock(item: ItemId, why: Why) -> None:
        """Let messages with an item pass again."""
        with at_desk() as (here, person):
            here.casework.accounts.items.unblock(item, person, why, here.now())
        say(f"{item}：不再拦截。", f"{item}: messages with it pass.")


def _move(item: str, to: ItemState, why: str, passed_to: str = "") -> None:
    with at_desk() as (here, person):
        after = here.casework.accounts.items.move(item, to, person, why, here.now(), passed_to)
    say(f"{item}：{after.state.words.zh}。", f"{item} is {after.state.words.en}.")
