"""`duanka objections`: objections of holders, recorded and decided at the desk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from duanka.cli.orders.order_moves import CardOrOrder, move, say_to_come, told_state
from duanka.cli.orders.orders_list import add_orders_list
from duanka.cli.output.lists import say
from duanka.cli.people.acting import AtDesk, Number, Why, card_meant, command
from duanka.cli.shell.lazy import lazily
from duanka.domain.authority import Permission
from duanka.domain.bounds import given_reason
from duanka.domain.order import Event, Kind

if TYPE_CHECKING:
    from duanka.bootstrap import orders as app_orders
    from duanka.bootstrap.settings import Settings
    from duanka.cli.orders import orders_tables as tables
else:
    app_orders = lazily("duanka.bootstrap.orders")
    tables = lazily("duanka.cli.orders.orders_tables")

Said = Annotated[str, typer.Option("--text", prompt="What the holder says", help="What the holder says.")]


def add_objections(cli: typer.Typer, out: Console, settings: Callable[[], Settings]) -> None:
    """Add `objections` to the commands."""
    objections = typer.Typer(
        help="Objections 异议: list them, file one for a holder, accept it, decide it.",
        no_args_is_help=True,
    )
    cli.add_typer(objections, name="objections")
    at_desk = AtDesk(settings)
    add_orders_list(objections, out, at_desk, "objections list", Kind.OBJECTION)

    @command(objections, Permission.FILE_OBJECTION)
    def file(card: CardOrOrder, text: Said) -> None:
        """File an objection for a holder who came or called (代为登记); a second one joins the first."""
        said = given_reason(text) if text else text
        with at_desk(Permission.FILE_OBJECTION) as (here, person):
            filed = here.book.object(card_meant(here, card), said, person, app_orders.now())
            told_state(out, filed)
            accept = f"duanka objections accept {filed.id} --why …"
            say(out, f"下一步：{accept}", f"Next: {accept}")
            say_to_come(out, *here.reading.to_come(filed.card))

    def judge(order: str, event: Event, why: str) -> None:
        move(out, at_desk, order, event, why, Kind.OBJECTION)

    @command(objections, Permission.OBJECTION_ACCEPT)
    def accept(order: Number, why: Why) -> None:
        """Take it up (受理): the working days to answer begin."""
        judge(order, Event.ACCEPT, why)

    @command(objections, Permission.OBJECTION_UPHOLD)
    def uphold(order: Number, why: Why) -> None:
        """The holder was right (异议成立): restored at once; a high tier takes somebody else than who accepted it."""
        judge(order, Event.UPHOLD, why)

    @command(objections, Permission.OBJECTION_REJECT)
    def reject(order: Number, why: Why) -> None:
        """The measure stays (异议不成立); the holder is told how to go on."""
        judge(order, Event.REJECT, why)

    @command(objections, Permission.OBJECTION_TO_FRAUD_CENTRE, "pass-on")
    def pass_on(order: Number, why: Why) -> None:
        """Pass it on to the police, who stopped the card (转公安机关); their release upholds it, else reject it."""
        judge(order, Event.TO_FRAUD_CENTRE, why)

    @command(objections, Permission.OBJECTION_WITHDRAW)
    def withdraw(order: Number, why: Why) -> None:
        """The holder takes it back (撤销)."""
        judge(order, Event.WITHDRAW, why)
