"""Options of every list: output format and page; filters as typed, for messages."""

from __future__ import annotations

import functools
import inspect
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer
from typer.models import ArgumentInfo

from duanka.cli.shell.language import shown
from duanka.domain.errors import DuankaError
from duanka.domain.person import Person

_EVERY_LIST: dict[str, tuple[Any, object]] = {  # field of ListOptions -> option and default
    "count": (
        Annotated[
            bool, typer.Option("--count", help="Print counts by value (state, tier, ...), not the rows.")
        ],
        False,
    ),
    "page": (Annotated[int, typer.Option("--page", min=1, help="Which page, from 1.")], 1),
    "limit": (
        Annotated[
            int | None,
            typer.Option(
                "--limit", min=1, help="Rows per page; default: a screenful, with --json or --csv all rows."
            ),
        ],
        None,
    ),
    "json": (
        Annotated[bool, typer.Option("--json", help="Print JSON, an object a line (docs/OUTPUT.md).")],
        False,
    ),
    "csv": (
        Annotated[bool, typer.Option("--csv", help="Print CSV for spreadsheets (docs/OUTPUT.md).")],
        False,
    ),
}
_PAGES = ("page", "limit")
SCREENFUL = 20  # default rows per page: with heading and next command they fit 24 lines


@dataclass(frozen=True)
class ListOptions:
    """How to print a list.

    `command`: names of the command and its groups, as typed. `filters`, `scope`: the filters and the person's
    scope, for messages. `whole`: a short list without pages.
    """

    command: str
    json: bool = False
    csv: bool = False
    count: bool = False
    page: int = 1
    limit: int | None = None
    filters: str = ""
    scope: str = ""
    whole: bool = False

    def __post_init__(self) -> None:
        if self.json and self.csv:
            raise DuankaError("give --json or --csv, not both")

    @property
    def for_programs(self) -> bool:
        """Whether the output is for programs."""
        return self.json or self.csv

    @property
    def rows(self) -> int | None:
        """Rows per page; None: all remaining."""
        return self.limit or (None if self.for_programs or self.whole else SCREENFUL)

    @property
    def skipped(self) -> int:
        """Number of rows on earlier pages. DuankaError: no page size is set."""
        if self.page > 1 and self.rows is None:
            raise DuankaError(f"--page {self.page} needs --limit: without it --json and --csv give all rows")
        return (self.page - 1) * (self.rows or 0)

    def of(self, person: Person) -> ListOptions:
        """A copy with the person's scope; unchanged if the scope covers everything."""
        return self if person.scope.everywhere else replace(self, scope=shown(person.scope.words))


def lists(*, whole: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of every list, in place of its parameter `asked`, a ListOptions.

    `whole`: a short list without pages.
    """
    options = {name: one for name, one in _EVERY_LIST.items() if not (whole and name in _PAGES)}
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=option, default=default)
        for name, (option, default) in options.items()
    ]

    def add(function: Callable[..., None]) -> Callable[..., None]:
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        parameters, typed_as = [context], dict[str, str]()
        for one in inspect.signature(function, eval_str=True).parameters.values():
            parameters += added if one.name == "asked" else [one]
            typed_as[one.name] = _typed_as(one)

        @functools.wraps(function)
        def listed(context: typer.Context, **given: Any) -> None:
            own = {name: given.pop(name) for name in options}
            typed = context.command_path.removeprefix(context.find_root().command_path).strip()
            asked = ListOptions(typed, filters=_filters(given, typed_as), whole=whole, **own)
            function(**given, asked=asked)

        return with_parameters(listed, parameters)

    return add


def with_parameters(
    function: Callable[..., None], parameters: Sequence[inspect.Parameter]
) -> Callable[..., None]:
    """The function with these parameters in its signature, as keywords."""
    keywords = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    function.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    function.__annotations__ = {one.name: one.annotation for one in keywords}
    return function


def _typed_as(one: inspect.Parameter) -> str:
    """The option as it is typed; "" of an argument, which is typed without one."""
    declared = getattr(one.annotation, "__metadata__", (None,))[0]
    if isinstance(declared, ArgumentInfo):
        return ""
    # within Annotated the first name given to typer.Option lands in `default`
    names = (getattr(declared, "default", None), *(getattr(declared, "param_decls", None) or ()))
    long = (str(name).split("/")[0] for name in names if str(name).startswith("--"))
    return next(long, f"--{one.name.replace('_', '-')}")


def _filters(given: Mapping[str, Any], typed_as: Mapping[str, str]) -> str:
    """Filters as typed: arguments, flags that are set, and options with values; … in place of a card number."""
    arguments, typed = list[str](), list[str]()
    for name, value in {"kind": None, **given}.items():  # the kind comes first
        option = typed_as.get(name, "")
        if value in (None, False, "") or (name == "why" and not given["full"]):  # --why is only for --full
            continue
        if value is True:
            typed.append(option)
            continue
        for one in value if isinstance(value, list) else [value]:
            word = "…" if name == "card" else shlex.quote(str(one))
            (typed if option else arguments).append(f"{option} {word}".strip())
    return " ".join([*arguments, *typed])
