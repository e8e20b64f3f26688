"""`duanka cases figures`: what casework did in a period, and what lies behind each figure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.casework.figures import CaseworkFigure, FigureGroup
from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import every, print_list
from duanka.cli.people.acting import at_desk, command
from duanka.cli.shell.lazy import lazily
from duanka.domain.authority import Permission
from duanka.domain.bounds import bounded
from duanka.domain.local_time import operator_zone

if TYPE_CHECKING:
    from duanka.cli.casework import figures_tables as tables
else:
    tables = lazily("duanka.cli.casework.figures_tables")

_DAYS = 30  # of a period without a beginning
Since = Annotated[
    str | None,
    typer.Option("--since", help="From this moment: YYYY-MM-DD [HH:MM]. Default: 30 days before the end."),
]
Until = Annotated[str | None, typer.Option("--until", help="Before this one, written alike. Default: now.")]


def add_figures(cases: typer.Typer) -> None:
    """Add the commands to the group."""
    command(cases, Permission.READ_FIGURES, "figures")(lists(whole=True)(figures))
    command(cases, Permission.LIST_HANDLED, "figure")(lists()(figure_rows))


def figures(
    since: Since = None,
    until: Until = None,
    by: Annotated[FigureGroup | None, typer.Option("--by", help="Also by operator, or by city.")] = None,
    *,
    asked: ListOptions,
) -> None:
    """Count clues, cards confirmed in answers, victims warned and dissuaded in a period."""
    with at_desk() as (here, person):
        period = _period(since, until, here.now())
        found = here.casework.figures.counts(*period, person, by)
    print_list(tables.FIGURES, found, asked)


def figure_rows(
    figure: Annotated[
        CaseworkFigure, typer.Argument(help="Which figure, as `cases figures --json` names it.")
    ],
    since: Since = None,
    until: Until = None,
    *,
    asked: ListOptions,
) -> None:
    """List what lies behind a figure, the earliest first."""
    with at_desk() as (here, person):
        period = _period(since, until, here.now())

        def fetch(after: str, limit: int) -> tables.FetchedRows:
            begin = int(after or 0)
            return tables.FetchedRows(
                *here.casework.figures.rows(figure, *period, person, here.now(), begin, limit)
            )

        print_list(tables.FIGURE_ROWS, every(fetch), asked)


def _period(since: str | None, until: str | None, now: datetime) -> tuple[datetime, datetime]:
    end = bounded(operator_zone().read(until, "--until")) if until else now
    begin = bounded(operator_zone().read(since, "--since")) if since else end - timedelta(days=_DAYS)
    return begin, end
