"""`duanka orders take`, `takes`, `held`, `withdraw`: open and withdraw orders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duanka.cli.orders.order_moves import move, print_proposed, say_to_come
from duanka.cli.orders.orders_list import Tiers
from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import line, print_list
from duanka.cli.people.acting import Why, at_desk, cards_in_file, command
from duanka.cli.shell.completion import cities_like, operators_like, orders_like, reasons_like, takes_like
from duanka.cli.shell.language import shown
from duanka.cli.shell.lazy import ShownCommand, lazily
from duanka.cli.shell.process import OUT, ExitCode
from duanka.domain.authority import Permission
from duanka.domain.bulk_action import BulkActionState, card_of, numbers_of
from duanka.domain.errors import DuankaError
from duanka.domain.order import Event, Kind
from duanka.domain.police_reasons import CLAIMED, CONFIRMED
from duanka.domain.take import Choice

if TYPE_CHECKING:
    from duanka.bootstrap import orders as app_orders
    from duanka.bootstrap import policies as app_policies
    from duanka.cli.orders import takes_tables as tables
    from duanka.orders.bulk_actions import withdrawal as withdrawing
    from duanka.orders.intake import kept_decisions
else:
    app_orders = lazily("duanka.bootstrap.orders")
    app_policies = lazily("duanka.bootstrap.policies")
    tables = lazily("duanka.cli.orders.takes_tables")
    kept_decisions = lazily("duanka.orders.intake.kept_decisions")
withdrawing = lazily("duanka.orders.bulk_actions.withdrawal")


Rules = Annotated[
    list[str] | None,
    typer.Option(
        "--rule",
        help="Only where this rule is among the reasons (`duanka rules list`); several times.",
        autocompletion=reasons_like,
    ),
]
Cities = Annotated[
    list[str] | None,
    typer.Option(
        "--city",
        help="Only of this city, by its code, like 130100; several times.",
        autocompletion=cities_like,
    ),
]
Operators = Annotated[
    list[str] | None,
    typer.Option("--operator", help="Only of this operator; several times.", autocompletion=operators_like),
]
commands = typer.Typer()
_HOLD = "--hold"
_TAKES = 1_000  # the most recent ones


class HoldCommand(ShownCommand):
    """A command whose `--hold` may have no value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give a bare `--hold` an empty value.

        Bare means: before an option, before a folder, or at the end.
        """
        typed = list[str]()
        for at, word in enumerate(args):
            typed.append(word)
            following = args[at + 1] if at + 1 < len(args) else "-"
            if word == _HOLD and (following.startswith("-") or Path(following).is_dir()):
                typed.append("")
        return super().parse_args(ctx, typed)


@command(commands, Permission.TAKE_DECISIONS, cls=HoldCommand)
def take(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Output folder of `duanka scan`, `live` or `morning`; none with --held."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would become of them; nothing is written.")
    ] = False,
    tier: Tiers = None,
    rule: Rules = None,
    city: Cities = None,
    operator: Operators = None,
    card: Annotated[list[str] | None, typer.Option(help="Only this card; several times.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many, the heaviest; the rest is for the next take.")
    ] = None,
    hold: Annotated[
        str | None,
        typer.Option(
            _HOLD,
            metavar="[CARDS-FILE]",
            help="Hold the cards of this file back; without a file, whatever is not taken now.",
        ),
    ] = None,
    held: Annotated[
        bool, typer.Option("--held", help="Take what is held (`duanka orders held`), in place of a folder.")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", help="Withdraw also where the records cover less than those of the take before."
        ),
    ] = False,
    why: Annotated[str, typer.Option(help="Why cards are held; it stays in the audit trail.")] = "",
) -> None:
    """Open orders for what a scan or a live run decided; what was taken before is not taken again.

    Without options all of it. What is not taken stays for the next take of the folder; what is held is asked of
    nobody, whatever comes, until somebody takes it: `duanka orders take --held`. What the police confirmed is
    stopped whatever is chosen. Exit code 5: withdrawals wait for --yes; 4: a decision was set aside.
    """
    with at_desk() as (here, person):
        _must_be_one(folder, held=held)
        choice = Choice(
            tiers=frozenset(tier or ()),
            rules=_known_rules(rule),
            cities=frozenset(city or ()),
            operators=frozenset(operator or ()),
            cards=frozenset(map(card_of, card or ())),
            limit=limit,
            hold=frozenset(numbers_of(cards_in_file(Path(hold)))[0]) if hold else frozenset(),
            hold_rest=hold == "",
            narrower=yes,
        )
        if dry_run:
            preview = app_orders.preview_take(here, folder, person, choice)
            line(tables.preview(folder, preview))
            return
        taken = app_orders.take(here, folder, person, choice, why)
    line(tables.taken(folder, taken))
    if taken.received.aside:
        raise typer.Exit(ExitCode.LOOK)
    if taken.kept.get(kept_decisions.Why.NARROWER):
        raise typer.Exit(ExitCode.WAITS)


def _must_be_one(folder: Path | None, *, held: bool) -> None:
    if (folder is None) is not held:
        raise DuankaError("give the output folder of a scan or a live run, or --held for what is held")
    if folder is not None and not folder.exists():
        raise DuankaError(f"{folder}: no such folder; give the output folder of a scan, DATA/duanka-out")


@command(commands, Permission.LIST_TAKES)
@lists()
def takes(asked: ListOptions) -> None:
    """List what was taken, the newest first: how much became of it, what is left, what was undone."""
    with at_desk() as (here, person):
        print_list(tables.TAKES, here.takes.list(person, _TAKES), asked)


@command(commands, Permission.LIST_TAKES)
@lists()
def held(asked: ListOptions) -> None:
    """List what is held back, the oldest first: by whom, since when and why."""
    with at_desk() as (here, person):
        found = here.takes.held(person)
        print_list(tables.HELD, found, asked.of(person))
    if found and not (asked.count or asked.for_programs):
        line(shown(tables.RELEASE))


@command(commands, Permission.VERIFICATION_WITHDRAW)
def withdraw(
    why: Why,
    order: Annotated[
        list[str] | None,
        typer.Argument(help="Ids of verifications, or numbers of their cards.", autocompletion=orders_like),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="A text file with an id or a card a line, or a CSV with a column card."),
    ] = None,
    tier: Tiers = None,
    rule: Rules = None,
    city: Cities = None,
    operator: Operators = None,
    take: Annotated[
        str,
        typer.Option(
            help="Only those that this take opened or joined (`duanka orders takes`).",
            autocompletion=takes_like,
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many; nothing is written.")] = False,
) -> None:
    """Take back what was asked in error; a stop that followed from it is lifted.

    Many at once are one bulk action: several ids, a file, or all open ones of a tier, rule, city, operator or
    take. Where a tier takes two people this proposes it, and says who must approve.
    """
    which = withdrawing.Which(
        (*(order or ()), *(_named_in(file) if file else ())),
        frozenset(tier or ()),
        _known_rules(rule),
        frozenset(city or ()),
        frozenset(operator or ()),
        take,
    )
    one = which.named[0] if len(which.named) == 1 else ""
    if one and which == withdrawing.Which(which.named) and not dry_run:
        move(one, Event.WITHDRAW, why, Kind.VERIFICATION)
        return
    with at_desk() as (here, person):
        if dry_run:
            OUT.print(tables.to_withdraw(here.withdrawals.look(which, person)))
            return
        act = here.withdrawals.propose(which, person, why, here.now())
        print_proposed(act)
        if act.state is not BulkActionState.PROPOSED:
            say_to_come(*here.reading.to_come_of_bulk_action(act.id))


def _named_in(file: Path) -> list[str]:
    """Ids or cards in a file."""
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError):
        return cards_in_file(file)
    ids = [line for line in lines if line[:1] == "V" and line.isalnum()]
    return ids if ids and len(ids) == len([line for line in lines if line]) else cards_in_file(file)


def _known_rules(named: list[str] | None) -> frozenset[str]:
    """The rules named. DuankaError: one does not exist.

    Police reasons are among the rules of an order, and therefore allowed.
    """
    return frozenset(
        one if one in (CONFIRMED, CLAIMED) else app_policies.rule_named(one).id for one in named or ()
    )
