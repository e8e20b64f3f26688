"""Common parts of all order database commands: acting person, permission, reason."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from click import Context, HelpFormatter
from typer.core import TyperCommand

from duanka.bootstrap.policies import policy_named
from duanka.cli.output.list_options import with_parameters
from duanka.cli.shell.completion import bulk_actions_like, orders_like
from duanka.cli.shell.language import text_shown
from duanka.cli.shell.lazy import ShownCommand, lazily
from duanka.domain.authority import Permission, authorize, roles_text
from duanka.domain.bounds import given_reason
from duanka.domain.bulk_action import card_of
from duanka.domain.card_list import cards_in, certain_cards_in
from duanka.domain.errors import DuankaError
from duanka.domain.order import Kind, Order, PermissionDenied, Person

if TYPE_CHECKING:
    from duanka.bootstrap import orders as app_orders
    from duanka.bootstrap import settings
    from duanka.bootstrap.orders import OrderDesk
else:
    app_orders = lazily("duanka.bootstrap.orders")
    settings = lazily("duanka.bootstrap.settings")

Why = Annotated[str, typer.Option(prompt="Why", help="The reason; it stays in the audit trail.")]
Full = Annotated[bool, typer.Option("--full", help="Show numbers in full; needs --why, and is written down.")]
BecauseFull = Annotated[str, typer.Option("--why", help="Why the numbers are needed in full.")]
Number = Annotated[
    str, typer.Argument(help="Id of the order, or the card's number.", autocompletion=orders_like)
]
BulkActionNumber = Annotated[
    str, typer.Argument(help="Id of the bulk action.", autocompletion=bulk_actions_like)
]


@dataclass(frozen=True)
class _Running:
    """The running command: its permission, and the prompts of the required options that were not given."""

    permission: Permission
    missing: Mapping[str, str]
    again: bool = False  # with the answers


_running: ContextVar[_Running | None] = ContextVar("running")


class _Answered(Exception):  # restarts the command with the answers; not an error
    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers


@contextmanager
def at_desk(
    permission: Permission | None = None,
    *,
    check_network: bool = True,
    first: Callable[[OrderDesk], None] | None = None,
) -> Iterator[tuple[OrderDesk, Person]]:
    """The opened order database and the acting person.

    `permission`: None means that of the running command; a command that needs none, as its owner's files need none,
    names it. `first`: says what somebody should know before they answer. PermissionDenied: the person lacks it.
    """
    running = _running.get(_Running(permission, {}) if permission else None)
    if running is None:
        raise LookupError("a command of the order database is declared by `command`, or names a permission")
    chosen = settings.load_settings()
    with app_orders.desk(chosen, policy_named(chosen.policy), check_network=check_network) as here:
        person = app_orders.acting_person(chosen, here.keys)
        authorize(person, permission or running.permission)
        if first and not running.again:
            first(here)
        if running.missing:
            raise _Answered(_ask(running.missing))
        yield here, person


def command(
    group: typer.Typer, permission: Permission, name: str | None = None, cls: type[TyperCommand] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Like `group.command`, for a command that needs `permission`.

    The help ends with the roles that have it. Required options with a prompt are asked for on a terminal,
    after `at_desk` checked the permission; the help marks them like the others that are required. `--dry-run` writes
    nothing and needs none of these options.
    """

    def add(function: Callable[..., None]) -> Callable[..., None]:
        told = f"{inspect.cleandoc(function.__doc__ or '')}\n\nWho may 权限: {roles_text(permission)}."
        whole = _asking_late(function, permission)
        whole.__dict__["permission"] = permission
        marked = _marking(cls or ShownCommand, _asked_late(function))
        return group.command(name, cls=marked, help=told)(whole)

    return add


def _asked_late(function: Callable[..., None]) -> frozenset[str]:
    """Names of the required options that are asked for on a terminal."""
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    return frozenset(one.name for one in parameters if _prompt(one) is not None)


def _marking(cls: type[TyperCommand], names: frozenset[str]) -> type[TyperCommand]:
    """A class of command whose help marks these options as required; the library would refuse them before we ask."""

    class MarkedCommand(cls):  # type: ignore[valid-type,misc]  # the class is given
        def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
            late = [one for one in self.params if one.name in names]
            for one in late:
                one.required = True
            try:
                super().format_help(ctx, formatter)
            finally:
                for one in late:
                    one.required = False

    return MarkedCommand


def _asking_late(function: Callable[..., None], permission: Permission) -> Callable[..., None]:
    """The command with options that do not prompt; `at_desk` asks for the missing values."""
    signature = inspect.signature(function, eval_str=True)
    prompts = dict[str, str]()
    first, last = list[inspect.Parameter](), list[inspect.Parameter]()
    for one in signature.parameters.values():
        prompt = _prompt(one)
        if prompt is None:
            first.append(one)
        else:
            prompts[one.name] = prompt
            option = one.annotation.__metadata__[0]
            plain = typer.Option(*(option.param_decls or ()), help=option.help)
            asked = Annotated[str | None, plain]
            last.append(one.replace(annotation=asked, default=None, kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(function)
    def whole(**given: Any) -> None:
        needed = {} if given.get("dry_run") else prompts
        missing = {name: prompt for name, prompt in needed.items() if given[name] is None}
        given |= {name: "" for name in prompts.keys() - needed.keys() if given[name] is None}
        blank = given | dict.fromkeys(missing, "")
        if given.get("why"):
            given["why"] = blank["why"] = given_reason(given["why"])
        elif given.get("why") == "" and "why" in needed:
            given_reason("")
        token = _running.set(_Running(permission, missing))
        try:
            return function(**blank)
        except _Answered as answered:
            _running.set(_Running(permission, {}, again=True))
            return function(**given | answered.answers)
        finally:
            _running.reset(token)

    return with_parameters(whole, [*first, *last])


def _prompt(one: inspect.Parameter) -> str | None:
    """The prompt of a required parameter; None without one."""
    metadata = getattr(one.annotation, "__metadata__", ())
    prompt = getattr(metadata[0], "prompt", None) if metadata else None
    return str(prompt) if prompt and one.default is inspect.Parameter.empty else None


def _ask(missing: Mapping[str, str]) -> dict[str, str]:
    """Ask for the missing options on the terminal. DuankaError: there is no terminal."""
    if not sys.stdin.isatty():
        options = " and ".join(f"--{name.replace('_', '-')}" for name in missing)
        raise DuankaError(f"give {options}: nobody can be asked here, and it stays in the audit trail")
    answers = {name: typer.prompt(text_shown(prompt)) for name, prompt in missing.items()}
    return {name: given_reason(answer) if name == "why" else answer for name, answer in answers.items()}


def cards_in_file(file: Path) -> list[str]:
    """Cards in a file. DuankaError: it cannot be read."""
    try:
        return cards_in(file.read_bytes(), file.name)
    except OSError as error:
        raise DuankaError(f"{file} cannot be read: {error.strerror}") from error


def certain_cards_in_file(file: Path, above: float) -> tuple[list[str], int]:
    """Cards in a file, of a ring.csv those above a certainty, and how many are not. DuankaError: it cannot be read."""
    try:
        return certain_cards_in(file.read_bytes(), file.name, above)
    except OSError as error:
        raise DuankaError(f"{file} cannot be read: {error.strerror}") from error


def order_meant(here: OrderDesk, by: Person, text: str, *kinds: Kind) -> Order:
    """The order with this id, or the card's open order of the first kind that has one.

    PermissionDenied: `by` may not search by number, or no card of their scope has one.
    """
    if text[:1].isalpha():
        return here.reading.state(text)
    try:
        authorize(by, Permission.SEARCH_BY_NUMBER)
    except PermissionDenied as error:
        raise PermissionDenied(
            f"{error}; name the order by its id, which `duanka cards show` gives"
        ) from None
    card = card_of(text)
    last = [found for kind in kinds if (found := here.reading.last(card, kind))]
    mine = [one for one in last if by.scope.covers(one.operator, one.city)]
    if found := next((one for one in mine if one.closed_at is None), None):
        return found
    if not mine and not by.scope.everywhere:  # a card elsewhere is not told from one without an order
        raise PermissionDenied(
            f"in the scope of {by.id} ({by.scope}) this card has no open {' or '.join(kinds)}; name the order by its"
            " id, which the holder's notice gives"
        )
    raise DuankaError(
        f"this card has no open {' or '.join(kinds)}; `duanka cards show` with its number says what there is"
    )


def order_brought(here: OrderDesk, by: Person, text: str, *kinds: Kind) -> str:
    """The id that a holder brought to a counter, as typed and not looked up; of a card, as `order_meant`."""
    if not text[:1].isalpha():
        return order_meant(here, by, text, *kinds).id
    return text.strip().upper()


def card_meant(here: OrderDesk, text: str) -> str:
    """The card with this number, or of the order with this id, in E.164 without +."""
    return here.reading.state(text).card if text[:1].isalpha() else card_of(text)
