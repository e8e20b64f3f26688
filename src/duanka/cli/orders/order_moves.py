"""`duanka orders`: commands that change the state of one order, and their output."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from duanka.cli.output.lists import line, say
from duanka.cli.people.acting import Number, Why, at_desk, card_meant, command, order_meant
from duanka.cli.shell.completion import choices
from duanka.cli.shell.language import shown
from duanka.cli.shell.lazy import lazily
from duanka.cli.shell.process import OUT
from duanka.domain.authority import Permission, move_permission
from duanka.domain.bounds import bounded
from duanka.domain.bulk_action import LIFTS, BulkAction, BulkActionState
from duanka.domain.fraud_kind import FraudKind
from duanka.domain.local_time import operator_zone
from duanka.domain.order import DoneBefore, Event, Kind, Order, State
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
_STOPS = choices(
    BilingualText("处置", "stop"),
    (Event.BAR_OUTGOING, Event.LIFELINE, Event.SUSPEND, Event.PUNISH, Event.CANCEL),
)
HowToStop = Annotated[
    Literal["bar_outgoing", "lifeline", "suspend", "punish", "cancel"],
    _STOPS.option(help="单停, 保底服务, 双停, 惩戒停机 (with --until), 销户."),
]
PunishedUntil = Annotated[
    str | None,
    typer.Option(
        "--until",
        help="The end of a punishment, like 2026-12-31 or 2026-12-31T18:00, local to the operator.",
    ),
]
Reason = Annotated[
    str,
    typer.Option(
        prompt="Reason in Chinese",
        help="In Chinese, for the audit trail; the holder reads the policy's text for it (`reasons`).",
    ),
]
ReasonEn = Annotated[str, typer.Option(prompt="Reason in English", help="The same in English.")]

moves = typer.Typer()


def print_change(here: OrderDesk, after: Order) -> None:
    """Print the new state and what is pending: changes, notices, a remaining stop."""
    print_state(after)
    restriction = here.reading.last(after.card, Kind.RESTRICTION)
    if restriction and restriction.state is State.FORCED_STOP and restriction.id != after.id:
        release = typed(Kind.RESTRICTION, Event.POLICE_RELEASE, restriction.id)
        say(
            f"该号码仍因公安通知停机（{restriction.id}），只有公安机关可以解除：{release}",
            f"The card stays stopped by police notice ({restriction.id}); {only_the_police(restriction.id)}",
        )
    say_to_come(*here.reading.to_come(after.card))


def print_state(after: Order, zh: str = "", en: str = "") -> None:
    """Print the state of an order with the remark `zh` or `en`."""
    state = shown(after.state.words)
    say(f"{after.id}：{state}{zh}。", f"{after.id}: {state}{en}.")


def say_to_come(elements: int, notices: int) -> None:
    """Print the pending work of the worker; nothing if there is none."""
    changes = BilingualText(f"网络变更 {elements} 项", f"{elements} change(s) of the network")
    notice_words = BilingualText(f"通知 {notices} 条", f"{notices} notice(s)")
    if waiting := [words for words, count in ((changes, elements), (notice_words, notices)) if count]:
        zh, en = "、".join(one.zh for one in waiting), " and ".join(one.en for one in waiting)
        say(f"尚待 `duanka serve` 执行：{zh}。", f"Still to come: {en}, by the worker of `duanka serve`.")


def print_proposed(act: BulkAction) -> None:
    """Print that an action needs a second person, and the command for that person."""
    OUT.print(tables.bulk_action_page(act))
    if act.state is BulkActionState.PROPOSED:
        approve = f"`duanka orders approve {act.id} --why …`"
        if act.skipped:
            say(
                f"{act.skipped:,} 张卡不在其内，原因见 `duanka orders show {act.id}`。",
                f"{act.skipped:,} card(s) are left out: `duanka orders show {act.id}` says why.",
            )
        say(
            f"须双人复核，目前没有任何变更。下一步由 {act.proposed_by} 以外的主管：{approve}",
            "It takes two people: nothing is changed yet."
            f" Next, by a supervisor who is not {act.proposed_by}: {approve}",
        )


def print_running(here: OrderDesk, act: BulkAction) -> None:
    """Print the remaining work of a running bulk action, and how to follow it."""
    if act.state is BulkActionState.PROPOSED:
        return
    if act.left:
        progress = f"`duanka orders show {act.id}`"
        say(
            f"尚有 {act.left:,} 张卡待 `duanka serve` 处置。进度：{progress}",
            f"{act.left:,} card(s) still to come, by the worker of `duanka serve`. Progress: {progress}",
        )
    say_to_come(*here.reading.to_come_of_bulk_action(act.id))


def end_of_punishment(until: str | None) -> datetime | None:
    """The moment of `--until`. OrderError: it is none."""
    return bounded(operator_zone().read(until, "--until")) if until else None


def say_if_done_before(number: str, before: DoneBefore | None, what: BilingualText) -> None:
    """Print who had done `what` and when, if the command changed nothing because of that."""
    if before:
        at = operator_zone().written(before.at)
        say(
            f"{number} 此前已由 {before.by} 于 {at} {what.zh}，没有再次执行。",
            f"{number} was {what.en} before, by {before.by} at {at}: nothing was changed.",
        )


def say_if_moved_before(order: Order, before: DoneBefore | None) -> None:
    """Print who had brought the order into its state, and when, if the command changed nothing because of that."""
    state = order.state.words
    say_if_done_before(order.id, before, BilingualText(f"转为“{state.zh}”", f"moved to “{state.en}”"))


def move(text: str, event: Event, why: str, kind: Kind) -> None:
    """Apply an event to an order, or propose it where four eyes are required."""
    with at_desk(move_permission(kind, event)) as (here, person):
        order = order_meant(here, person, text, kind)
        if event in LIFTS:
            done = giving_back.give_back(here.bulk_actions, order, event, person, why, here.now())
            if isinstance(done, BulkAction):
                print_proposed(done)
                return
        else:
            done = here.orders.apply_once(order.id, event, person, why, here.now())
        after, before = done
        say_if_moved_before(after, before)
        print_change(here, after)


def add_move(group: typer.Typer, kind: Kind, event: Event, help_text: str, name: str = "") -> None:
    """Add a command that applies `event`. `help_text`: its help; `name`: by default that of the event."""

    def moved(order: Number, why: Why) -> None:
        move(order, event, why, kind)

    moved.__doc__ = help_text
    command(group, move_permission(kind, event), name or event.value.replace("_", "-"))(moved)


for _event, _help in {
    Event.BEGIN: "The holder has come, or called: they begin to prove who they are (开始核验).",
    Event.SUBMIT: (
        "The holder's answer waits for a person to review it;"
        " the response time stands still meanwhile (提交审核)."
    ),
    Event.PASS: (
        "The holder proved who they are (at the counter): the card works again at once,"
        " unless it is stopped by the police or as a punishment."
    ),
    Event.FAIL: (
        "The holder could not prove it. docs/ORDERS.md says when a stop follows,"
        " and when a second person must approve it."
    ),
    Event.TO_COUNTER: "The holder has to come in person (转营业厅); they are told where to go.",
    Event.TO_FRAUD_CENTRE: "Give the verification to the fraud centre of the police (转反诈中心).",
}.items():
    add_move(moves, Kind.VERIFICATION, _event, _help)


@command(moves, Permission.VERIFICATION_EXTEND)
def extend(
    order: Number,
    hardship: Annotated[str, typer.Option(help="As the policy names it: roaming, hospital, disability.")],
    why: Why,
) -> None:
    """Give a holder in hardship more time, once."""
    with at_desk() as (here, person):
        number = order_meant(here, person, order, Kind.VERIFICATION).id
        after = here.orders.extend(number, hardship, person, why, here.now())
    due = operator_zone().written(after.due_at) if after.due_at else "-"
    say(f"{after.id}：期限 {due}", f"{after.id}: due {due}")


@command(moves, Permission.MAKE_LINK)
def link(order: Number, why: Why) -> None:
    """Make a new link for a holder who lost the notice; read it out to nobody else.

    The audit trail records it.
    """
    with at_desk() as (here, person):
        number = order_meant(here, person, order, Kind.VERIFICATION).id
        address = app_orders.link_for(here, number, person, why, here.now())
    line(address)


_IN_TWO = "\n\nWhere the tier takes two people this proposes it, and says who must approve."
for _event, _help in {
    Event.RESTORE: "Give a card back to the network (复通); a police stop is lifted by the police alone.",
    Event.EASE: "Let a card be called again (改为单停); it calls emergency numbers, 12345 and our line alone.",
    Event.EASE_TO_LIFELINE: "Give a suspended card the lifeline (双停改保底服务): docs/ORDERS.md says what it is.",
}.items():
    add_move(moves, Kind.RESTRICTION, _event, _help + _IN_TWO)


@command(moves, Permission.RESTRICTION_POLICE_STOP, "police-stop")
def police_stop(
    card: CardOrOrder,
    case: Case,
    why: Why,
    fraud_kind: Annotated[
        FraudKind | None, typer.Option("--fraud-kind", help="The kind of fraud; warnings to victims name it.")
    ] = None,
) -> None:
    """Stop a card at once on a police notice (公安机关通知停机), with the key of somebody of the police."""
    with at_desk() as (here, person):
        number = card_meant(here, card)
        print_change(here, here.orders.police_stop(number, case, person, why, here.now(), fraud_kind))


@command(moves, Permission.RESTRICTION_POLICE_RELEASE, "police-release")
def police_release(card: CardOrOrder, case: Case, why: Why) -> None:
    """Consent to the release of a card that the police stopped (公安机关同意解除): it works again at once."""
    with at_desk() as (here, person):
        number = card_meant(here, card)
        print_change(here, here.orders.police_release(number, person, f"{case}: {why}", here.now()))
