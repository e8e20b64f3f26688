"""`duanka figures`: the five headline figures of a period, and what lies behind each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.bootstrap.policies import policy_named
from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import every, print_list, say
from duanka.cli.people.acting import command
from duanka.cli.shell.lazy import lazily
from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import bounded
from duanka.domain.headline import Certainty, FigurePlace, FigureSplit, HeadlineFigure, HeadlineFigures
from duanka.domain.local_time import operator_zone
from duanka.ledger.figures.calendar import day_of, midnight

if TYPE_CHECKING:
    from duanka.assessment.figures.rows import HeadlinePage
    from duanka.bootstrap import order_resources as resources
    from duanka.bootstrap import orders as app_orders
    from duanka.bootstrap import settings
    from duanka.bootstrap.assessment import figures as wiring
    from duanka.bootstrap.assessment import opened as opening
    from duanka.cli.assessment import figures_tables as tables
else:
    app_orders = lazily("duanka.bootstrap.orders")
    opening = lazily("duanka.bootstrap.assessment.opened")
    resources = lazily("duanka.bootstrap.order_resources")
    settings = lazily("duanka.bootstrap.settings")
    wiring = lazily("duanka.bootstrap.assessment.figures")
    tables = lazily("duanka.cli.assessment.figures_tables")

Since = Annotated[
    str | None,
    typer.Option("--since", help="From this moment: YYYY-MM-DD [HH:MM]. Default: today and six days before."),
]
Until = Annotated[str | None, typer.Option("--until", help="Before this one, written alike. Default: now.")]
_DAYS_BEFORE = 6  # today, in a period without a beginning
_DATE = "%Y-%m-%d %H:%M"


commands = typer.Typer()


@command(commands, Permission.READ_FIGURES)
@lists()
def figures(
    since: Since = None,
    until: Until = None,
    by: Annotated[
        FigureSplit | None, typer.Option("--by", help="Also by this; month and day: of the event.")
    ] = None,
    rows: Annotated[
        HeadlineFigure | None,
        typer.Option("--rows", help="List what lies behind this figure, the earliest first; numbers masked."),
    ] = None,
    operator: Annotated[
        str | None, typer.Option("--operator", help="Only of this operator; -: unknown.")
    ] = None,
    city: Annotated[str | None, typer.Option("--city", help="Only of this city; -: unknown.")] = None,
    *,
    asked: ListOptions,
) -> None:
    """Count calls and messages intercepted, numbers handled, clues to the police and victims dissuaded.

    Each is exact, or at least so many where a loss is known or a part was not measured, or unknown.
    """
    now, chosen = datetime.now(UTC), settings.load_settings()
    policy = policy_named(chosen.policy)
    with opening.opened_ledger(
        chosen, policy, lambda: app_orders.upgrade_terms(chosen, app_orders.log_upgrade)
    ) as here:
        person = resources.acting_person(chosen, here.keys)
        authorize(person, Permission.READ_FIGURES)
        queries = wiring.headline(here.store, here.trail, here.records.opened, here.records.archive)
        period = _period(since, until, now)
        place = FigurePlace.read(operator, city)
        if rows:
            figure = rows

            def fetch(after: str, limit: int) -> HeadlinePage:
                return queries.rows(figure, *period, person, now, after, limit, place)

            print_list(tables.ROWS, every(fetch), asked)
            return
        found = queries.counts(*period, person, now, by, place)
    if not asked.for_programs and not asked.count:
        say(*tables.period(found))
    print_list(tables.figures_listing(place), found.counts, asked)
    if not asked.for_programs and not asked.count:
        _say_next(found, by, place)


def _say_next(found: HeadlineFigures, by: FigureSplit | None, place: FigurePlace) -> None:
    """What the words mean, and how a figure is opened."""
    marks = {one.certainty for one in found.counts}
    if Certainty.AT_LEAST in marks:
        say(
            "至少：已知有丢失，或部分时段没有测量（docs/ASSESSMENT.zh.md）。",
            "At least: a loss is known, or a part of the period was not measured (docs/ASSESSMENT.md).",
        )
    if Certainty.UNKNOWN in marks:
        say(
            "未知：这一时段没有测量，不是零；`duanka doctor` 检查网元是否已接入。",
            "Unknown: nothing was measured in the period, which is not zero; `duanka doctor` checks the elements.",
        )
    if by in (FigureSplit.OUTLET, FigureSplit.PLATFORM):
        say(*tables.unsplit(by))
    figure = next((one.figure for one in found.counts if one.count), HeadlineFigure.CALLS)
    zone = operator_zone()
    since, until = (f"{zone.local(at):{_DATE}}" for at in (found.since, found.until))
    typed = f'duanka figures --rows {figure.value} --since "{since}" --until "{until}"'
    named = (("--operator", place.operator), ("--city", place.city))
    typed += "".join(f" {option} {value or '-'}" for option, value in named if value is not None)
    say(f"明细：{typed}", f"What lies behind it: {typed}")


def _period(since: str | None, until: str | None, now: datetime) -> tuple[datetime, datetime]:
    end = now
    if until:
        end = bounded(operator_zone().read(until, "--until"))
    if since:
        return bounded(operator_zone().read(since, "--since")), end
    return midnight(day_of(end) - _DAYS_BEFORE), end
