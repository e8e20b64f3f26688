"""`duanka orders`: what the desk does about orders, one by one or ten thousand at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from duanka.app_policies import policy_named
from duanka.cli_lazy import lazily
from duanka.domain.act import MOST_CARDS, ActState, card_of
from duanka.domain.authority import Permission, authorize, move_permission, roles_text, within
from duanka.domain.bounds import bounded, given_reason
from duanka.domain.card_list import cards_in
from duanka.domain.errors import DuankaError
from duanka.domain.local_time import operator_zone
from duanka.domain.order import Event, Kind, Order, Person, State
from duanka.domain.words import Words
from duanka.settings import Settings

if TYPE_CHECKING:
    from duanka import app_orders
    from duanka import cli_orders_tables as tables
    from duanka.app_orders import Desk
    from duanka.orders import reading
else:
    app_orders = lazily("duanka.app_orders")
    tables = lazily("duanka.cli_orders_tables")
    reading = lazily("duanka.orders.reading")

Why = Annotated[
    str, typer.Option(prompt="Why", callback=given_reason, help="The reason; it stays in the audit trail.")
]
Full = Annotated[bool, typer.Option("--full", help="Show numbers in full; needs --why, and is written down.")]
BecauseFull = Annotated[str, typer.Option("--why", help="Why the numbers are needed in full.")]
Number = Annotated[str, typer.Argument(help="Id of the order, or the card's number.")]
ActNumber = Annotated[str, typer.Argument(help="Id of the act.")]
_WAITS = "Waiting for the worker of `duanka serve` to carry it out."


class AtDesk:
    """Opens the order book for one command, and knows who acts."""

    def __init__(self, settings: Callable[[], Settings], *, check_network: bool = True) -> None:
        self._settings, self._check_network = settings, check_network

    @contextmanager
    def __call__(self, permission: Permission) -> Iterator[tuple[Desk, Person]]:
        """The desk, and who sits at it; NotTheirs where they have no such permission."""
        chosen = self._settings()
        policy = policy_named(chosen.policy)
        with app_orders.desk(chosen, policy, check_network=self._check_network) as here:
            person = app_orders.who_acts(chosen, here.keys)
            authorize(person, permission)
            yield here, person


def command(
    group: typer.Typer, permission: Permission, name: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """As `group.command`, for a command that needs `permission`: its help ends with who may."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        told = f"{inspect.cleandoc(function.__doc__ or '')}\n\nWho may 权限: {roles_text(permission)}."
        function.__dict__["permission"] = permission
        return group.command(name, help=told)(function)

    return add


def add_orders(cli: typer.Typer, out: Console, settings: Callable[[], Settings]) -> None:
    """Add `orders` to the commands."""
    orders = typer.Typer(
        help="Orders 工单: verify, stop, restore. Who acts is told by DUANKA_API_KEY (`duanka whoami`).",
        no_args_is_help=True,
    )
    cli.add_typer(orders, name="orders")
    at_desk = AtDesk(settings)
    _add_reading(orders, out, at_desk)
    _add_single(orders, out, at_desk)
    _add_proposing(orders, out, at_desk)
    _add_deciding(orders, out, at_desk)


def _add_reading(orders: typer.Typer, out: Console, at_desk: AtDesk) -> None:
    @command(orders, Permission.LIST_ORDERS, "list")
    def listed(
        kind: Annotated[Kind | None, typer.Option(help="Only of this kind.")] = None,
        state: Annotated[State | None, typer.Option(help="Only in this state.")] = None,
        card: Annotated[
            str | None, typer.Option(help="Only about this card, for example 8613800000000.")
        ] = None,
        closed: Annotated[bool, typer.Option("--closed", help="Those that are over, too.")] = False,
        overdue: Annotated[
            bool, typer.Option("--overdue", help="Only those whose deadline is past.")
        ] = False,
        waiting: Annotated[
            bool,
            typer.Option("--waiting", help="Only those that no deadline moves on: they wait for a person."),
        ] = False,
        after: Annotated[str, typer.Option(help="Go on behind the page that named this.")] = "",
        limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 30,
        full: Full = False,
        why: BecauseFull = "",
    ) -> None:
        """List orders, the latest first."""
        which = reading.Filter(
            kind,
            state,
            card_of(card) if card else None,
            is_open=None if closed else True,
            overdue=overdue,
            waiting=waiting,
        )
        with at_desk(Permission.LIST_ORDERS) as (here, person):
            page = here.reading.orders(
                which, reading.Reader(person, full, why), app_orders.now(), after, limit
            )
            out.print(tables.orders_table(page), highlight=False)

    @command(orders, Permission.READ_ORDER)
    def show(
        order: Number,
        full: Full = False,
        why: BecauseFull = "",
        after: Annotated[int, typer.Option(min=0, max=MOST_CARDS, help="Of an act: skip so many cards.")] = 0,
        limit: Annotated[int, typer.Option(min=1, max=200, help="Of an act: how many cards.")] = 50,
    ) -> None:
        """Show an order: its reason, its trail, what was told to whom. Of an act: every card, as it stands now."""
        with at_desk(Permission.READ_ORDER) as (here, person):
            reader = reading.Reader(person, full, why)
            if order.startswith("A"):
                act = here.acts.act(order, person)
                cards = here.reading.act_cards(order, reader, app_orders.now(), after, limit)
                out.print(tables.act_page(act), highlight=False)
                out.print(tables.act_cards_table(order, cards), highlight=False)
                return
            number = order_meant(here, person, order, Kind.RESTRICTION, Kind.VERIFICATION).id
            file = here.reading.order(number, reader, app_orders.now())
            out.print(tables.order_page(file), highlight=False)

    @command(orders, Permission.EXPORT_PASSES)
    def passes(
        export: Annotated[Path, typer.Option(help="The file to write; its reader sets DUANKA_PASSES to it.")],
    ) -> None:
        """Write the sealed list of who passed, for a scan or a live run on a machine without the order book."""
        with at_desk(Permission.EXPORT_PASSES) as (here, person):
            cards = here.pass_list.export(export, person, app_orders.now())
        out.print(f"{cards:,} card(s) that passed: {export}", highlight=False, soft_wrap=True)

    @command(orders, Permission.READ_FIGURES)
    def handled(
        since: Annotated[
            str | None,
            typer.Option(
                help="From this moment, like 2026-12-31T18:00, operator's time. Default: a day ago."
            ),
        ] = None,
        until: Annotated[
            str | None, typer.Option(help="To this moment, written alike. Default: now.")
        ] = None,
    ) -> None:
        """Count what was done in a period: numbers handled, orders opened, calls and messages refused."""
        with at_desk(Permission.READ_FIGURES) as (here, person):
            end = bounded(operator_zone().read(until, "--until")) if until else app_orders.now()
            begin = bounded(operator_zone().read(since, "--since")) if since else end - timedelta(days=1)
            out.print(tables.figures_page(here.reading.figures(begin, end, person)), highlight=False)


def _add_single(orders: typer.Typer, out: Console, at_desk: AtDesk) -> None:
    @command(orders, Permission.TAKE_DECISIONS)
    def take(
        folder: Annotated[Path, typer.Argument(help="Output folder of `duanka scan` or `duanka live`.")],
    ) -> None:
        """Open orders for what a scan or a live run decided; what was taken before is not taken again."""
        if not folder.exists():
            raise DuankaError(f"{folder}: no such folder; give the output folder of a scan, DATA/duanka-out")
        with at_desk(Permission.TAKE_DECISIONS) as (here, person):
            received = app_orders.take(here, folder, person)
        told = ", ".join(f"{count:,} {what}" for what, count in vars(received).items() if count)
        out.print(f"Taken from {folder}: {told or 'nothing new'}.", highlight=False)
        if received.unsealed:
            out.print(
                f"{received.unsealed:,} decision(s) bear no seal of this installation: their holders are asked, and"
                " whatever follows takes a second person. Scan with DUANKA_SECRET or DUANKA_ORDERS as here.",
                style="red",
                highlight=False,
            )
        out.print("Next: duanka orders list", highlight=False)

    def act(order: str, event: Event, why: str, kind: Kind) -> None:
        with at_desk(move_permission(kind, event)) as (here, person):
            after = here.book.act(
                order_meant(here, person, order, kind).id, event, person, why, app_orders.now()
            )
        out.print(f"{after.id}: {tables.state(after.state.value)}. {_WAITS}", highlight=False)

    @command(orders, Permission.VERIFICATION_WITHDRAW)
    def withdraw(order: Number, why: Why) -> None:
        """Take back what was asked in error; a stop that followed from it is lifted."""
        act(order, Event.WITHDRAW, why, Kind.VERIFICATION)

    @command(orders, Permission.RESTRICTION_RESTORE)
    def restore(order: Number, why: Why) -> None:
        """Give a card back to the network (复通); a police stop is lifted by the police alone."""
        act(order, Event.RESTORE, why, Kind.RESTRICTION)

    @command(orders, Permission.VERIFICATION_PASS, "pass")
    def passed(order: Number, why: Why) -> None:
        """The holder proved who they are (at the counter): what stopped the card is lifted at once."""
        act(order, Event.PASS, why, Kind.VERIFICATION)

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
        out.print(f"{after.id}: due {tables.local(after.due_at)}", highlight=False)

    @command(orders, Permission.MAKE_LINK)
    def link(order: Number, why: Why) -> None:
        """Make a new link for a holder who has lost the notice; read it out to nobody else. It is written down."""
        with at_desk(Permission.MAKE_LINK) as (here, person):
            number = order_meant(here, person, order, Kind.VERIFICATION).id
            address = app_orders.link_for(here, number, person, why, app_orders.now())
        out.print(address, highlight=False, soft_wrap=True)


def _add_proposing(orders: typer.Typer, out: Console, at_desk: AtDesk) -> None:
    @command(orders, Permission.PROPOSE_ACT)
    def stop(
        reason: Annotated[
            str, typer.Option(prompt="Reason in Chinese", help="Told to the holder, in Chinese.")
        ],
        reason_en: Annotated[str, typer.Option(prompt="Reason in English", help="The same in English.")],
        cards: Annotated[list[str] | None, typer.Argument(help="Cards, for example 8613800000000.")] = None,
        file: Annotated[
            Path | None,
            typer.Option(help="For many: a text file with a card a line, or a CSV with a column card."),
        ] = None,
        how: Annotated[
            Literal["bar_outgoing", "suspend", "punish", "cancel"],
            typer.Option(help="单停, 双停, 惩戒 (with --until), 销户."),
        ] = "suspend",
        until: Annotated[
            str | None,
            typer.Option(
                help="The end of a punishment, like 2026-12-31 or 2026-12-31T18:00, local to the operator."
            ),
        ] = None,
    ) -> None:
        """Propose to stop cards; a second person approves with `duanka orders approve`."""
        numbers = [*(cards or ()), *(cards_in_file(file) if file else ())]
        with at_desk(Permission.PROPOSE_ACT) as (here, person):
            end = bounded(operator_zone().read(until, "--until")) if until else None
            act = here.acts.propose(
                Event(how), numbers, Words(reason, reason_en), person, app_orders.now(), end
            )
        out.print(tables.act_page(act), highlight=False)
        out.print(f"Next, by somebody else: duanka orders approve {act.id}", highlight=False)

    @command(orders, Permission.PROPOSE_ACT)
    def lift(
        reason: Annotated[
            str, typer.Option(prompt="Reason in Chinese", help="Told to the holder, in Chinese.")
        ],
        reason_en: Annotated[str, typer.Option(prompt="Reason in English", help="The same in English.")],
        cards: Annotated[list[str] | None, typer.Argument(help="Cards, for example 8613800000000.")] = None,
        file: Annotated[
            Path | None,
            typer.Option(help="For many: a text file with a card a line, or a CSV with a column card."),
        ] = None,
        how: Annotated[
            Literal["restore", "ease", "withdraw"],
            typer.Option(help="复通, 双停改单停, 撤销 (of the verification)."),
        ] = "restore",
    ) -> None:
        """Give cards back: at once, or where their tier takes two people when a second person has approved."""
        numbers = [*(cards or ()), *(cards_in_file(file) if file else ())]
        with at_desk(Permission.PROPOSE_ACT) as (here, person):
            words = Words(reason, reason_en)
            act = here.acts.propose(Event(how), numbers, words, person, app_orders.now())
        out.print(tables.act_page(act), highlight=False)
        waits = act.state is ActState.PROPOSED
        out.print(
            f"Next, by somebody else: duanka orders approve {act.id}" if waits else _WAITS, highlight=False
        )


def _add_deciding(orders: typer.Typer, out: Console, at_desk: AtDesk) -> None:
    @command(orders, Permission.LIST_ALARMS)
    def alarms() -> None:
        """List alarms, the newest first: what failed, or was set aside, and since when."""
        with at_desk(Permission.LIST_ALARMS) as (here, person):
            out.print(tables.alarms_table(here.reading.alarms(person)), highlight=False)

    @command(orders, Permission.CLEAR_ALARM, "clear-alarm")
    def clear_alarm(
        source: Annotated[
            str, typer.Argument(help="Source of the alarm, as `duanka orders alarms` names it.")
        ],
        why: Why,
    ) -> None:
        """Say that somebody looked at what an alarm names; `clock`: the clock is right, and restricts again."""
        with at_desk(Permission.CLEAR_ALARM) as (here, person):
            here.book.clear_alarm(source, person, why, app_orders.now())
        out.print(f"The alarm {source} is over.", highlight=False)

    @command(orders, Permission.LIST_ACTS)
    def acts() -> None:
        """List what was proposed, the newest first, and how far it is."""
        with at_desk(Permission.LIST_ACTS) as (here, person):
            out.print(tables.acts_table(here.acts.acts(person)), highlight=False)

    @command(orders, Permission.APPROVE_ACT)
    def approve(
        act: ActNumber,
        why: Why,
        without: Annotated[
            list[str] | None,
            typer.Option(
                help="Leave this card as it is: its number, or its line in the act, '#2'; several times."
            ),
        ] = None,
    ) -> None:
        """Approve what somebody else proposed (`orders show ACT` lists its cards): it is carried out at once."""
        with at_desk(Permission.APPROVE_ACT) as (here, person):
            out.print(
                tables.act_page(here.acts.approve(act, person, why, app_orders.now(), without or ())),
                highlight=False,
            )
        out.print(f"{_WAITS} Progress: duanka orders show {act}", highlight=False)

    @command(orders, Permission.REJECT_ACT)
    def reject(act: ActNumber, why: Why) -> None:
        """Do away with what was proposed."""
        with at_desk(Permission.REJECT_ACT) as (here, person):
            out.print(tables.act_page(here.acts.reject(act, person, why, app_orders.now())), highlight=False)

    @command(orders, Permission.UNDO_ACT)
    def undo(act: ActNumber, why: Why) -> None:
        """Put back every card that an act changed and nobody changed since."""
        with at_desk(Permission.UNDO_ACT) as (here, person):
            undone = here.acts.undo(act, person, why, app_orders.now())
        out.print(tables.act_page(undone), highlight=False)
        out.print(f"{_WAITS} Progress: duanka orders show {undone.id}", highlight=False)


def cards_in_file(file: Path) -> list[str]:
    """The cards of a list; DuankaError where the file cannot be read."""
    try:
        return cards_in(file.read_bytes(), file.name)
    except OSError as error:
        raise DuankaError(f"{file} cannot be read: {error.strerror}") from error


def order_meant(here: Desk, by: Person, text: str, *kinds: Kind) -> Order:
    """The order with this id, or the open one of the first of `kinds` that the card has.

    NotTheirs: `by` may not search by number, or the card is out of their scope.
    """
    if text[:1].isalpha():
        return here.reading.state(text)
    authorize(by, Permission.SEARCH_BY_NUMBER)
    card = card_of(text)
    for kind in kinds:
        found = here.reading.last(card, kind)
        if found and found.closed_at is None:
            within(by, "this card", found.operator, found.city)
            return found
    raise DuankaError(
        f"{text} has no open order of that kind; `duanka cards show {text}` shows what there is"
    )
