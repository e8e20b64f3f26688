"""`duanka counter` and `reviews`: verification in person, and manual reviews."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from duanka.cli.orders import review_page
from duanka.cli.orders.order_moves import say_if_moved_before
from duanka.cli.orders.orders_list import Tiers
from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import every, line, print_list, say
from duanka.cli.people.acting import Number, Why, at_desk, command, order_meant
from duanka.cli.shell.completion import Choices, choices
from duanka.cli.shell.language import shown
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import OUT
from duanka.domain.authority import Permission, move_permission
from duanka.domain.counter_check import CounterCheck, Document
from duanka.domain.order import Event, Kind
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
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
    """Record that a holder was verified in person; for a high tier somebody else confirms."""
    seen = CounterCheck(document, where, person_present=person, card_in_hand=card, notice_signed=notice)
    with at_desk() as (here, staff):
        number = order_meant(here, staff, order, Kind.VERIFICATION).id
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
    """Confirm, as the second member of staff, what somebody else recorded: the card works again."""
    with at_desk() as (here, staff):
        number = order_meant(here, staff, order, Kind.VERIFICATION).id
        after = here.counter.confirm(number, staff, why, here.now())
    OUT.print(f"{after.id}: {shown(after.state.words)}")


@command(counter, Permission.REJECT_COUNTER_CHECK)
def reject(order: Number, why: Why) -> None:
    """Discard what somebody else recorded: the holder is verified anew."""
    with at_desk() as (here, staff):
        number = order_meant(here, staff, order, Kind.VERIFICATION).id
        after = here.counter.reject(number, staff, why, here.now())
    state = shown(after.state.words)
    say(f"{after.id}：{state}；登记已作废", f"{after.id}: {state}; the record is discarded")


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
    say(f"下一步：{decide} 通过|不通过|转营业厅", f"Next: {decide} pass|fail|to_counter")


@command(reviews, Permission.VERIFICATION_PASS)
def decide(
    order: Number,
    verdict: Annotated[
        Literal["pass", "fail", "to_counter"], _VERDICTS.argument(help="通过, 不通过, 转营业厅.")
    ],
    why: Why,
) -> None:
    """Decide: pass restores at once, fail restricts as the policy says, to_counter asks to come in person."""
    with at_desk(move_permission(Kind.VERIFICATION, Event(verdict))) as (here, staff):
        number = order_meant(here, staff, order, Kind.VERIFICATION).id
        after, before = here.orders.apply_once(number, Event(verdict), staff, why, here.now())
        say_if_moved_before(after, before)
    OUT.print(f"{after.id}: {shown(after.state.words)}")
