"""`duanka orders`: commands that change the state of one order, and their output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from duanka.cli.output.lists import say
from duanka.cli.people.acting import AtDesk, Number, Why, card_meant, command, order_meant
from duanka.cli.shell.lazy import lazily
from duanka.domain.authority import Permission, move_permission
from duanka.domain.bulk_action import LIFTS, Act, ActState
from duanka.domain.order import Event, Kind, Order, State
from duanka.domain.order_commands import only_the_police, typed
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.bootstrap import orders as app_orders
    from duanka.bootstrap.orders import OrderDesk
    from duanka.cli.orders import orders_tables as tables
    from duanka.orders.bulk_actions import restoration as giving_back
else:
    app_orders = lazily("duanka.bootstrap.orders")
    tables = lazily("duanka.cli.orders.orders_tables")
    giving_back = lazily("duanka.orders.bulk_actions.restoration")

CardOrOrder = Annotated[str, typer.Argument(help="The card's number, or the id of an order about it.")]
Case = Annotated[str, typer.Option(help="Number of the notice or case (案件编号).")]


def add_moves(orders: typer.Typer, out: Console, at_desk: AtDesk) -> None:
    """Add these commands, except `withdraw`, which acts on many orders."""
    _add_verification(orders, out, at_desk)
    _add_lifting(orders, out, at_desk)
    _add_police(orders, out, at_desk)


def told_after(here: OrderDesk, out: Console, after: Order, *, showing: str = "") -> None:
    """Print the new state and what is pending: changes, notices, a remaining stop."""
    if showing != "no state":
        told_state(out, after)
    restriction = here.reading.last(after.card, Kind.RESTRICTION)
    if restriction and restriction.state is State.FORCED_STOP and restriction.id != after.id:
        release = typed(Kind.RESTRICTION, Event.POLICE_RELEASE, restriction.id)
        say(
            out,
            f"该号码仍因公安通知停机（{restriction.id}），只有公安机关可以解除：{release}",
            f"The card stays stopped by police notice ({restriction.id}); {only_the_police(restriction.id)}",
        )
    say_to_come(out, *here.reading.to_come(after.card))


def told_state(out: Console, after: Order, zh: str = "", en: str = "") -> None:
    """Print the state of an order with the remark `zh` or `en`."""
    state = tables.state(after.state.value)
    say(out, f"{after.id}：{state}{zh}。", f"{after.id}: {state}{en}.")


def say_to_come(out: Console, elements: int, notices: int) -> None:
    """Print the pending work of the worker; nothing if there is none."""
    changes = BilingualText(f"网络变更 {elements} 项", f"{elements} change(s) of the network")
    told = BilingualText(f"通知 {notices} 条", f"{notices} notice(s)")
    if waiting := [words for words, count in ((changes, elements), (told, notices)) if count]:
        zh, en = "、".join(one.zh for one in waiting), " and ".join(one.en for one in waiting)
        say(
            out, f"尚待 `duanka serve` 执行：{zh}。", f"Still to come: {en}, by the worker of `duanka serve`."
        )


def told_proposed(out: Console, act: Act) -> None:
    """Print that an action needs a second person, and the command for that person."""
    out.print(tables.act_page(act), highlight=False)
    if act.state is ActState.PROPOSED:
        approve = f"`duanka orders approve {act.id} --why …`"
        say(
            out,
            f"须双人复核，目前没有任何变更。下一步由 {act.proposed_by} 以外的主管：{approve}",
            "It takes two people: nothing is changed yet."
            f" Next, by a supervisor who is not {act.proposed_by}: {approve}",
        )


def move(out: Console, at_desk: AtDesk, text: str, event: Event, why: str, kind: Kind) -> None:
    """Apply an event to an order, or propose it where four eyes are required."""
    with at_desk(move_permission(kind, event)) as (here, person):
        order = order_meant(here, person, text, kind)
        if event in LIFTS:
            done = giving_back.give_back(here.acts, order, event, person, why, app_orders.now())
            if isinstance(done, Act):
                told_proposed(out, done)
                return
        else:
            done = here.book.act(order.id, event, person, why, app_orders.now())
        told_after(here, out, done)


def _add_verification(orders: typer.Typer, out: Console, at_desk: AtDesk) -> None:
    def act(order: str, event: Event, why: str) -> None:
        move(out, at_desk, order, event, why, Kind.VERIFICATION)

    @command(orders, Permission.VERIFICATION_BEGIN)
    def begin(order: Number, why: Why) -> None:
        """The holder has come, or called: they begin to prove who they are (开始核验)."""
        act(order, Event.BEGIN, why)

    @command(orders, Permission.VERIFICATION_SUBMIT)
    def submit(order: Number, why: Why) -> None:
        """What the holder gave is with us, and waits for a person: no hours run meanwhile (提交审核)."""
        act(order, Event.SUBMIT, why)

    @command(orders, Permission.VERIFICATION_PASS, "pass")
    def passed(order: Number, why: Why) -> None:
        """The holder proved who they are (at the counter): what stopped the card for it is lifted at once."""
        act(order, Event.PASS, why)

    @command(orders, Permission.VERIFICATION_FAIL)
    def fail(order: Number, why: Why) -> None:
        """The holder could not prove it; a stop that follows takes what docs/ORDERS.md says it rests on."""
        act(order, Event.FAIL, why)

    @command(orders, Permission.VERIFICATION_TO_COUNTER, "to-counter")
    def to_counter(order: Number, why: Why) -> None:
        """The holder has to come in person (转营业厅); they are told where to go."""
        act(order, Event.TO_COUNTER, why)

    @command(orders, Permission.VERIFICATION_TO_FRAUD_CENTRE, "to-fraud-centre")
    def to_fraud_centre(order: Number, why: Why) -> None:
        """Give the verification to the fraud centre of the police (转反诈中心)."""
        act(order, Event.TO_FRAUD_CENTRE, why)

    @command(orders, Permission.VERIFICATION_EXTEND)
    def extend(
        order: Number,
        hardship: Annotated[str, typer.Option(help="As the policy names it: roaming, hospital, disability.")],
        why: Why,
    ) -> None:
        """Give a holder in hardship more time, once."""
        with at_desk(Permission.VERIFICATION_EXTEND) as (here, person):
            number = order_meant(here, person, order, Kind.VERIFICATION).id
            after = here.book.extend(number, hardship, person, why, app_orders.now())
        due = tables.local(after.due_at)
        say(out, f"{after.id}：期限 {due}", f"{after.id}: due {due}")

    @command(orders, Permission.MAKE_LINK)
    def link(order: Number, why: Why) -> None:
        """Make a new link for a holder who has lost the notice; read it out to nobody else. It is written down."""
        with at_desk(Permission.MAKE_LINK) as (here, person):
            number = order_meant(here, person, order, Kind.VERIFICATION).id
            address = app_orders.link_for(here, number, person, why, app_orders.now())
        out.print(address, highlight=False, soft_wrap=True)


def _add_lifting(orders: typer.Typer, out: Console, at_desk: AtDesk) -> None:
    @command(orders, Permission.RESTRICTION_RESTORE)
    def restore(order: Number, why: Why) -> None:
        """Give a card back to the network (复通); a police stop is lifted by the police alone.

        Where the tier takes two people this proposes it, and says who must approve.
        """
        move(out, at_desk, order, Event.RESTORE, why, Kind.RESTRICTION)

    @command(orders, Permission.RESTRICTION_EASE)
    def ease(order: Number, why: Why) -> None:
        """Let a suspended card be called again (双停改单停); it cannot call.

        Where the tier takes two people this proposes it, and says who must approve.
        """
        move(out, at_desk, order, Event.EASE, why, Kind.RESTRICTION)


def _add_police(orders: typer.Typer, out: Console, at_desk: AtDesk) -> None:
    @command(orders, Permission.RESTRICTION_POLICE_STOP, "police-stop")
    def police_stop(card: CardOrOrder, case: Case, why: Why) -> None:
        """Stop a card at once on a police notice (公安机关通知停机), with the key of somebody of the police."""
        with at_desk(Permission.RESTRICTION_POLICE_STOP) as (here, person):
            number = card_meant(here, card)
            told_after(here, out, here.book.police_stop(number, case, person, why, app_orders.now()))

    @command(orders, Permission.RESTRICTION_POLICE_RELEASE, "police-release")
    def police_release(card: CardOrOrder, case: Case, why: Why) -> None:
        """Consent to the release of a card that the police stopped (公安机关同意解除): it works again at once."""
        with at_desk(Permission.RESTRICTION_POLICE_RELEASE) as (here, person):
            number = card_meant(here, card)
            told_after(
                here, out, here.book.police_release(number, person, f"{case}: {why}", app_orders.now())
            )
