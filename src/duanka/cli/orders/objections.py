"""`duanka objections`: objections of holders, recorded and decided at the desk."""

from __future__ import annotations

from typing import Annotated

import typer

from duanka.cli.orders.order_moves import CardOrOrder, add_move, print_state, say_to_come
from duanka.cli.orders.orders_list import add_orders_list
from duanka.cli.output.lists import say
from duanka.cli.people.acting import at_desk, card_meant, command
from duanka.cli.shell.completion import choices
from duanka.cli.shell.lazy import new_group
from duanka.domain.authority import Permission
from duanka.domain.bounds import given_reason
from duanka.domain.counter_check import Document
from duanka.domain.identity import UnlinkedNumbers
from duanka.domain.objection import OF_THE_HOLDER, Channel, CounterVisit
from duanka.domain.order import Event, Kind, Order, OrderError
from duanka.domain.text import BilingualText

Said = Annotated[str, typer.Option("--text", prompt="What the holder says", help="What the holder says.")]


_DOCUMENTS = choices(BilingualText("证件", "document"), Document)

commands = typer.Typer()
objections = new_group(commands, "objections")
add_orders_list(objections, Kind.OBJECTION)


@command(objections, Permission.FILE_OBJECTION)
def file(
    card: CardOrOrder,
    text: Said,
    where: Annotated[
        str,
        typer.Option("--counter", help="The holder stands here, at this counter (营业厅); with --document."),
    ] = "",
    document: Annotated[
        Document | None,
        _DOCUMENTS.option(help="Which document was seen there, like 居民身份证; its number is not kept."),
    ] = None,
    brought: Annotated[
        str,
        typer.Option(
            "--order",
            help="With --counter: the order number (V… or R…) in the notice that the holder brought; needed where the"
            " card is out of your scope.",
        ),
    ] = "",
) -> None:
    """File an objection for a holder who came or called (代为登记); a second one joins the first.

    A counter of another city takes the order number of the holder's notice: --order, or in place of the card's number.

    Where the policy says so, the clock gives a card back whose first objection nobody decided in its term: one filed
    with --counter counts, one of a caller does not.
    """
    said = given_reason(text) if text else text
    if bool(where) is not bool(document):
        raise OrderError("an objection at a counter takes both: --counter and --document")
    if brought and not where:
        raise OrderError("--order is for an objection at a counter: give --counter and --document too")
    named = brought or (card if card[:1].isalpha() else "")
    typed = UnlinkedNumbers.typed("", named).order_id if document and named else ""
    visit = CounterVisit(where, document, typed) if document else None
    with at_desk() as (here, person):
        filed = here.orders.object(card_meant(here, card), said, person, here.now(), visit)
        joined = _joined(filed, restores=here.orders.terms.policy.restore_undecided)
        print_state(filed, joined.zh, joined.en)
        accept = f"duanka objections accept {filed.id} --why …"
        say(f"下一步：{accept}", f"Next: {accept}")
        say_to_come(*here.reading.to_come(filed.card))


def _joined(filed: Order, *, restores: bool) -> BilingualText:
    """What became of an objection that joined an open one; nothing for the first."""
    if filed.hits < 2 or not filed.channel:
        return BilingualText("", "")
    how = Channel(filed.channel)
    zh = f"，并入已有的异议（共 {filed.hits} 次），按{how.words.zh}提出计"
    by = how.words.en if how is Channel.DESK else f"filed {how.words.en}"
    en = f", joined the open one ({filed.hits} times now); it counts as {by}"
    if restores and how in OF_THE_HOLDER:
        zh += "，逾期未决可自动复通"
        en += ", so the clock may give the card back"
    return BilingualText(zh, en)


for _event, _help, _name in (
    (Event.ACCEPT, "Take it up (受理): the holder is told by when they have an answer.", ""),
    (
        Event.UPHOLD,
        "The holder was right (异议成立): restored at once; at a high tier not by the person who accepted it.",
        "",
    ),
    (Event.REJECT, "The measure stays (异议不成立); the holder is told how to go on.", ""),
    (
        Event.TO_FRAUD_CENTRE,
        "Pass it on to the police, who stopped the card (转公安机关): if they release the card it is upheld;"
        " if not, reject it.",
        "pass-on",
    ),
    (Event.WITHDRAW, "The holder takes it back (撤销).", ""),
):
    add_move(objections, Kind.OBJECTION, _event, _help, _name)
