"""`duanka orders`: commands on single orders, and bulk actions."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from duanka.cli.orders import order_moves, orders_list, takes
from duanka.cli.orders.database import backup
from duanka.cli.orders.order_moves import (
    HowToStop,
    PunishedUntil,
    Reason,
    ReasonEn,
    end_of_punishment,
    print_proposed,
    print_running,
    say_if_done_before,
    say_to_come,
)
from duanka.cli.output.lists import line, say
from duanka.cli.papers import of_orders
from duanka.cli.people.acting import (
    BecauseFull,
    BulkActionNumber,
    Full,
    Why,
    at_desk,
    card_meant,
    cards_in_file,
    certain_cards_in_file,
    command,
    order_meant,
)
from duanka.cli.shell.completion import choices, ids_like, undoable_like
from duanka.cli.shell.language import shown
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import OUT
from duanka.domain.authority import Permission
from duanka.domain.bounds import bounded
from duanka.domain.bulk_action import MOST_CARDS, BulkActionState
from duanka.domain.local_time import operator_zone
from duanka.domain.order import Event, Kind
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.bootstrap import settings
    from duanka.bootstrap.orders import OrderDesk
    from duanka.bootstrap.outputs import files
    from duanka.cli.orders import orders_tables as tables
    from duanka.cli.orders import takes_tables
    from duanka.orders.queries import service as reading
else:
    files = lazily("duanka.bootstrap.outputs.files")
    settings = lazily("duanka.bootstrap.settings")
    tables = lazily("duanka.cli.orders.orders_tables")
    takes_tables = lazily("duanka.cli.orders.takes_tables")
    reading = lazily("duanka.orders.queries.service")


_APPROVED, _REJECTED = BilingualText("复核通过", "approved"), BilingualText("否决", "rejected")
_UNDONE = BilingualText("撤销", "undone")
_LIFTS = choices(
    BilingualText("处置", "way"), (Event.RESTORE, Event.EASE, Event.EASE_TO_LIFELINE, Event.WITHDRAW)
)
Cards = Annotated[
    list[str] | None, typer.Argument(help="Cards, for example 8613800000000, or ids of orders about them.")
]
CardsFile = Annotated[
    Path | None, typer.Option(help="For many: a text file with a card a line, or a CSV with a column card.")
]


_reading, _bulk_actions = typer.Typer(), typer.Typer()


@command(_reading, Permission.READ_ORDER)
def show(
    order: Annotated[
        str,
        typer.Argument(
            help="Id of an order, bulk action or take, or a card's number.", autocompletion=ids_like
        ),
    ],
    full: Full = False,
    why: BecauseFull = "",
    after: Annotated[
        int, typer.Option(min=0, max=MOST_CARDS, help="Of a bulk action: skip so many cards.")
    ] = 0,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Of a bulk action: how many cards.")] = 50,
) -> None:
    """Show an order: its reason, its trail, what was told to whom. Of a bulk action: every card, as it stands now."""
    with at_desk() as (here, person):
        reader = reading.ViewerContext(person, full, why)
        if order.startswith("T"):
            OUT.print(takes_tables.take_page(here.takes.take(order, person)))
            return
        if order.startswith("A"):
            act = here.bulk_actions.get(order, person)
            cards = here.reading.act_cards(order, reader, here.now(), after, limit)
            OUT.print(tables.bulk_action_page(act))
            OUT.print(tables.bulk_action_cards_table(order, cards, OUT.width))
            return
        kinds = (Kind.RESTRICTION, Kind.VERIFICATION, Kind.DISAVOWAL)
        number = order_meant(here, person, order, *kinds).id
        file = here.reading.order(number, reader, here.now())
        OUT.print(tables.order_page(file, here.orders.terms.policy))


@command(_reading, Permission.EXPORT_PASSES)
def passes(
    export: Annotated[Path, typer.Option(help="The file to write; its reader sets DUANKA_PASSES to it.")],
) -> None:
    """Write the sealed list of who passed, for a scan or a live run on a machine without the order database."""
    with at_desk() as (here, person):
        chosen = settings.load_settings()
        files.may_export(export, "--export", chosen, earlier=files.PASSES, own=chosen.passes_file)
        cards = here.pass_list.export(export, person, here.now())
    line(f"{cards:,} card(s) that passed: {export}")


command(_reading, Permission.BACK_UP)(backup)


@command(_reading, Permission.READ_FIGURES)
def handled(
    since: Annotated[
        str | None,
        typer.Option(help="From this moment, like 2026-12-31T18:00, operator's time. Default: a day ago."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="To this moment, written alike. Default: now.")] = None,
) -> None:
    """Count what was done in a period: numbers handled, orders opened, calls and messages refused."""
    with at_desk() as (here, person):
        end = bounded(operator_zone().read(until, "--until")) if until else here.now()
        begin = bounded(operator_zone().read(since, "--since")) if since else end - timedelta(days=1)
        OUT.print(tables.figures_page(here.reading.figures(begin, end, person)))


@command(_bulk_actions, Permission.PROPOSE_BULK_ACTION)
def stop(
    reason: Reason,
    reason_en: ReasonEn,
    cards: Cards = None,
    file: CardsFile = None,
    how: HowToStop = "suspend",
    until: PunishedUntil = None,
    certainty: Annotated[
        float,
        typer.Option(min=0, max=1, help="Of a ring.csv (`duanka links around`): cards above this one alone."),
    ] = 0.5,
) -> None:
    """Propose to stop cards; a second person approves with `duanka orders approve`."""
    with at_desk() as (here, person):
        listed, left_out = certain_cards_in_file(file, certainty) if file else ([], 0)
        if left_out:
            say(
                f"未列入 {left_out:,} 张：关联把握不高于 {certainty:g}（--certainty）。",
                f"Left out: {left_out:,} card(s) of certainty {certainty:g} or less (--certainty).",
            )
        numbers = [*_named(here, cards, None), *listed]
        end = end_of_punishment(until)
        act = here.bulk_actions.propose(
            Event(how), numbers, BilingualText(reason, reason_en), person, here.now(), end
        )
        print_proposed(act)
        print_running(here, act)


@command(_bulk_actions, Permission.PROPOSE_BULK_ACTION)
def lift(
    reason: Reason,
    reason_en: ReasonEn,
    cards: Cards = None,
    file: CardsFile = None,
    how: Annotated[
        Literal["restore", "ease", "ease_to_lifeline", "withdraw"],
        _LIFTS.option(help="复通, 改为单停, 双停改保底服务, 撤回 (of the verification)."),
    ] = "restore",
) -> None:
    """Give cards back: at once, or where their tier takes two people when a second person has approved."""
    with at_desk() as (here, person):
        words = BilingualText(reason, reason_en)
        named = _named(here, cards, file)
        act = here.bulk_actions.propose(Event(how), named, words, person, here.now())
        print_proposed(act)
        print_running(here, act)


def _named(here: OrderDesk, cards: list[str] | None, file: Path | None) -> list[str]:
    """Cards named by numbers, by ids of orders, and in a file."""
    named = [card_meant(here, one) if one[:1] in ("V", "R", "O", "D") else one for one in cards or ()]
    return [*named, *(cards_in_file(file) if file else ())]


@command(_bulk_actions, Permission.CLEAR_ALARM, "clear-alarm")
def clear_alarm(
    source: Annotated[str, typer.Argument(help="Source of the alarm, as `duanka orders alarms` names it.")],
    why: Why,
) -> None:
    """Say that somebody looked at what an alarm names; `clock`: the clock is right, and restricts again."""
    with at_desk() as (here, person):
        here.orders.clear_alarm(source, person, why, here.now())
    say(f"告警 {source} 已解除。", f"The alarm {source} is over.")


@command(_bulk_actions, Permission.APPROVE_BULK_ACTION)
def approve(
    act: BulkActionNumber,
    why: Why,
    without: Annotated[
        list[str] | None,
        typer.Option(
            help="Leave this card as it is: its number, or its line in the bulk action, '#2'; several times."
        ),
    ] = None,
) -> None:
    """Approve what somebody else proposed (`orders show ACT` lists its cards); `duanka serve` carries it out."""
    with at_desk() as (here, person):
        approved = here.bulk_actions.approve(act, person, why, here.now(), without or ())
        say_if_done_before(act, approved.before, _APPROVED)
        OUT.print(tables.bulk_action_page(approved))
        print_running(here, approved)


@command(_bulk_actions, Permission.REJECT_BULK_ACTION)
def reject(act: BulkActionNumber, why: Why) -> None:
    """Do away with what was proposed."""
    with at_desk() as (here, person):
        rejected = here.bulk_actions.reject(act, person, why, here.now())
        say_if_done_before(act, rejected.before, _REJECTED)
        OUT.print(tables.bulk_action_page(rejected))


@command(_bulk_actions, Permission.UNDO_BULK_ACTION)
def undo(
    act: Annotated[
        str,
        typer.Argument(
            help="Id of the bulk action (A...), or of the take (T...).", autocompletion=undoable_like
        ),
    ],
    why: Why,
) -> None:
    """Put back what a bulk action changed, or withdraw what a take opened, where nobody changed it since.

    Cards whose tier takes two people are proposed in one bulk action, for a supervisor who is somebody else.
    """
    with at_desk() as (here, person):
        if act.startswith("T"):
            undone_take = here.takes.undo(act, person, why, here.now())
            say_if_done_before(act, undone_take.before, _UNDONE)
            line(takes_tables.undone_page(undone_take))
            if undone_take.act:
                say_to_come(*here.reading.to_come_of_bulk_action(undone_take.act.id))
            return
        undo = here.bulk_actions.undo(act, person, why, here.now())
        say_if_done_before(act, undo.before, _UNDONE)
        OUT.print(tables.bulk_action_page(undo, here.bulk_actions.skipped(undo.id, person)))
        print_running(here, undo)
        undone = here.bulk_actions.get(act, person)
        say(f"{undone.id}：{shown(undone.state.words)}。", f"{undone.id} is {undone.state}.")
        for number in undone.undone_by:
            proposed = here.bulk_actions.get(number, person)
            if proposed.state is BulkActionState.PROPOSED:
                print_proposed(proposed)


commands = typer.Typer()
orders = new_group(commands, "orders")
for part in (
    orders_list.lists_of_orders,
    _reading,
    takes.commands,
    order_moves.moves,
    _bulk_actions,
    of_orders.commands,
):
    orders.add_typer(part)
