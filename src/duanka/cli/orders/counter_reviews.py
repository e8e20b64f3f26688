"""`duanka counter` and `reviews`: verification in person, and manual reviews."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from duanka.cli.orders import review_page
from duanka.cli.orders.order_moves import (
    CardOrOrder,
    print_change,
    print_state,
    say_if_moved_before,
)
from duanka.cli.orders.orders_list import Tiers
from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import every, line, print_list, say
from duanka.cli.people.acting import Number, Why, at_desk, card_meant, command, order_brought, order_meant
from duanka.cli.shell.completion import Choices, choices
from duanka.cli.shell.language import shown
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import OUT
from duanka.domain.authority import Permission, move_permission
from duanka.domain.counter_check import CounterCheck, Document
from duanka.domain.disavowal import DisavowalSeen
from duanka.domain.local_time import operator_zone
from duanka.domain.order import Event, Kind, Order, State
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.bootstrap.orders import OrderDesk
    from duanka.cli.orders import listings
    from duanka.cli.orders import orders_tables as tables
else:
    listings = lazily("duanka.cli.orders.listings")
    tables = lazily("duanka.cli.orders.orders_tables")

_DOCUMENTS = choices(BilingualText("证件", "document"), Document)
_VERDICTS = Choices(
    BilingualText("结论", "verdict"),
    {
        "pass": BilingualText("通过", "pass"),
        "fail": BilingualText("不通过", "fail"),
        "to_counter": BilingualText("转营业厅", "to counter"),
        "not_mine": BilingualText("非本人号码", "not mine"),
    },
)
_REGISTERED, _CAPTURED = (
    BilingualText("登记照片", "registered photo"),
    BilingualText("采集画面", "frame of the camera"),
)


commands = typer.Typer()
counter, reviews = new_group(commands, "counter"), new_group(commands, "reviews")


@command(counter, Permission.RECORD_COUNTER_CHECK)
def verify(
    order: Number,
    document: Annotated[
        Document, _DOCUMENTS.option(help="Which document was seen, like 居民身份证; its number is not kept.")
    ],
    where: Annotated[str, typer.Option("--counter", help="At which counter, 营业厅.")],
    why: Why,
    person: Annotated[bool, typer.Option("--person", help="The person on the document is here.")] = False,
    card: Annotated[bool, typer.Option("--card", help="The card is in their hand.")] = False,
    notice: Annotated[bool, typer.Option("--notice", help="They signed the notice of legal risk.")] = False,
) -> None:
    """Record that a holder was verified in person; for a high tier somebody else confirms.

    A counter of another city takes the order number of the holder's notice (V… or R…), not the card's number.
    """
    seen = CounterCheck(document, where, person_present=person, card_in_hand=card, notice_signed=notice)
    with at_desk() as (here, staff):
        number = order_brought(here, staff, order, Kind.VERIFICATION)
        after = here.counter.verify(number, seen, staff, why, here.now())
    OUT.print(f"{after.id}: {shown(after.state.words)}")
    if after.closed_at is None:
        confirm = f"duanka counter confirm {after.id}"
        say(
            f"策略要求双人复核；下一步由另一人：{confirm}",
            f"The policy wants two: next, by somebody else: {confirm}",
        )


@command(counter, Permission.CONFIRM_COUNTER_CHECK)
def confirm(order: Number, why: Why) -> None:
    """Confirm, as the second member of staff, what somebody else recorded: the card works again.

    Of a number that its registrant disowns (D…): the card is stopped at their request, or given back. A counter of
    another city takes the order number of the holder's notice (V… or R…), or of the disavowal.
    """
    with at_desk() as (here, staff):
        number = order_brought(here, staff, order, Kind.VERIFICATION, Kind.DISAVOWAL)
        after = here.counter.confirm(number, staff, why, here.now())
        if after.kind is Kind.DISAVOWAL:
            _say_disowned(here, after)
            return
    OUT.print(f"{after.id}: {shown(after.state.words)}")


@command(counter, Permission.REJECT_COUNTER_CHECK)
def reject(order: Number, why: Why) -> None:
    """Discard what somebody else recorded: the holder is verified anew. By the same number as `confirm`."""
    with at_desk() as (here, staff):
        number = order_brought(here, staff, order, Kind.VERIFICATION, Kind.DISAVOWAL)
        after = here.counter.reject(number, staff, why, here.now())
    state = shown(after.state.words)
    say(f"{after.id}：{state}；登记已作废", f"{after.id}: {state}; the record is discarded")


@command(counter, Permission.RECORD_DISAVOWAL, "not-mine")
def not_mine(
    card: CardOrOrder,
    document: Annotated[
        Document, _DOCUMENTS.option(help="Which document was seen, like 居民身份证; its number is not kept.")
    ],
    where: Annotated[str, typer.Option("--counter", help="At which counter, 营业厅.")],
    why: Why,
    person: Annotated[bool, typer.Option("--person", help="The person on the document is here.")] = False,
    register: Annotated[
        bool, typer.Option("--register", help="The register has the number under this document.")
    ] = False,
    statement: Annotated[
        bool, typer.Option("--statement", help="They signed that the number is not theirs.")
    ] = False,
    outlet: Annotated[
        str, typer.Option("--outlet", help="Where it was opened, 开户网点, as the register names it.")
    ] = "",
) -> None:
    """Record that a registrant says: this number is not mine (本人否认开户); somebody else confirms it.

    Then the card is stopped at their own request, and cancelled after the days of the policy. It is no penalty, and
    their other cards stay as they are. The card need not be there.
    """
    seen = DisavowalSeen(
        document,
        where,
        person_present=person,
        in_register=register,
        statement_signed=statement,
        outlet=outlet,
    )
    with at_desk() as (here, staff):
        after = here.disavowals.record(card_meant(here, card), seen, staff, why, here.now())
        _say_disowned(here, after)


@command(counter, Permission.RECORD_DISAVOWAL)
def mine(
    order: Number,
    document: Annotated[
        Document, _DOCUMENTS.option(help="Which document was seen, like 居民身份证; its number is not kept.")
    ],
    where: Annotated[str, typer.Option("--counter", help="At which counter, 营业厅.")],
    why: Why,
    person: Annotated[bool, typer.Option("--person", help="The person on the document is here.")] = False,
    card: Annotated[bool, typer.Option("--card", help="The card is in their hand.")] = False,
    notice: Annotated[bool, typer.Option("--notice", help="They signed the notice of legal risk.")] = False,
) -> None:
    """Take a disavowal back for its registrant, verified in person (撤回否认): the card works again at once."""
    seen = CounterCheck(document, where, person_present=person, card_in_hand=card, notice_signed=notice)
    with at_desk() as (here, staff):
        number = order_meant(here, staff, order, Kind.DISAVOWAL).id
        after = here.disavowals.take_back(number, seen, staff, why, here.now())
        _say_disowned(here, after)


def _say_disowned(here: OrderDesk, after: Order) -> None:
    """Print how a disavowal stands, what is next and when the card is cancelled."""
    waits = after.due_at is None and (after.state is State.CLAIMED or after.until is not None)
    if after.closed_at is None and waits:
        print_state(after)
        confirm = f"duanka counter confirm {after.id}"
        say(f"须双人复核；下一步由另一人：{confirm}", f"It takes two: next, by somebody else: {confirm}")
        return
    print_change(here, after)
    if after.closed_at is None and after.due_at:
        until = operator_zone().written(after.due_at)
        say(
            f"{until} 销户；此前本人可到营业厅撤回。",
            f"Cancelled on {until}; until then they can take it back.",
        )


@command(counter, Permission.LIST_COUNTER_CHECKS, "list")
@lists()
def waiting_checks(tier: Tiers = None, *, asked: ListOptions) -> None:
    """List what waits for a second member of staff, the oldest first."""
    with at_desk() as (here, staff):
        found = every(lambda after, rows: here.counter.waiting(staff, after, rows))
        print_list(listings.COUNTER, (one for one in found if not tier or one.tier in tier), asked.of(staff))


@command(reviews, Permission.LIST_REVIEWS, "list")
@lists()
def waiting_reviews(tier: Tiers = None, *, asked: ListOptions) -> None:
    """List what waits for a person, the oldest first."""
    with at_desk() as (here, staff):
        found = every(lambda after, rows: here.reviews.waiting(staff, after, rows))
        print_list(listings.REVIEWS, (one for one in found if not tier or one.tier in tier), asked.of(staff))


@command(reviews, Permission.OPEN_REVIEW, "open")
def opened(
    order: Number,
    why: Why,
    wait: Annotated[
        float, typer.Option(min=1, max=3600, help="Seconds to wait for the page to be opened.")
    ] = review_page.WAIT_SECONDS,
) -> None:
    """Look at one: the registered photo beside the frame, and what was measured.

    The audit trail records it.

    The pictures are shown by a browser on this machine, once, and never lie on a disk.
    """
    with at_desk() as (here, staff):
        number = order_meant(here, staff, order, Kind.VERIFICATION).id
        file = here.reviews.open(number, staff, why, here.now())
    OUT.print(tables.review_page(file))
    if file.disowns:
        say(
            "用户在核验中声明：这个号码不是我办的。请只判断是否登记人本人。",
            "The holder says in it: this number is not mine. Judge only whether they are the registrant.",
        )
    both = ((_REGISTERED, file.reference), (_CAPTURED, file.captured))
    pictures = [(words, picture) for words, picture in both if picture]
    if pictures:
        say(
            "请在本机浏览器打开此地址，只能打开一次：",
            "Open this address in a browser on this machine; it opens once:",
        )

        def tell(address: str) -> None:
            line(address)
            OUT.file.flush()

        if not review_page.show_once(number, pictures, tell, wait):
            say("没有人打开，已关闭。", "Nobody opened it: it is closed.")
    else:
        say("没有留存画面。", "Pictures: none kept.")
    decide = f"duanka reviews decide {number}"
    zh, en = ("通过|不通过|转营业厅", "pass|fail|to_counter")
    if file.disowns:
        zh, en = ("非本人号码|转营业厅", "not_mine|to_counter")
    say(f"下一步：{decide} {zh}", f"Next: {decide} {en}")


@command(reviews, Permission.VERIFICATION_PASS)
def decide(
    order: Number,
    verdict: Annotated[
        Literal["pass", "fail", "to_counter", "not_mine"],
        _VERDICTS.argument(help="通过, 不通过, 转营业厅, 非本人号码."),
    ],
    why: Why,
) -> None:
    """Decide: pass restores at once, fail restricts as the policy says, to_counter asks to come in person.

    not_mine: the holder said in the check that the number is not theirs, and it is the registrant who said it.
    """
    if verdict == "not_mine":
        with at_desk(Permission.DISAVOWAL_CONFIRM) as (here, staff):
            number = order_meant(here, staff, order, Kind.VERIFICATION).id
            _say_disowned(here, here.disavowals.confirm_reviewed(number, staff, why, here.now()))
        return
    with at_desk(move_permission(Kind.VERIFICATION, Event(verdict))) as (here, staff):
        number = order_meant(here, staff, order, Kind.VERIFICATION).id
        after, before = here.orders.apply_once(number, Event(verdict), staff, why, here.now())
        say_if_moved_before(after, before)
    OUT.print(f"{after.id}: {shown(after.state.words)}")
