"""`duanka assess`: a period counted by unit; what each measure is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.assessment import listings
from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import every as pages
from duanka.cli.output.lists import line, print_list, say
from duanka.cli.people.acting import at_desk, command
from duanka.cli.shell.language import shown, text_shown
from duanka.cli.shell.lazy import lazily, new_group
from duanka.domain.assessment import AssessmentPeriod, Measure, UnitKind
from duanka.domain.authority import Permission

if TYPE_CHECKING:
    from duanka.assessment import formulas as worded
    from duanka.assessment import rows as opened
    from duanka.assessment.runs import AssessmentRun
    from duanka.cli.assessment import tables
else:
    opened = lazily("duanka.assessment.rows")
    tables = lazily("duanka.cli.assessment.tables")
    worded = lazily("duanka.assessment.formulas")

Run = Annotated[str, typer.Option("--run", help="A run's id, or its period; default: the latest.")]
By = Annotated[
    UnitKind | None,
    typer.Option("--by", help="By operator, city, outlet, opening month or platform; else all together."),
]

commands = typer.Typer()
assess = new_group(commands, "assess")


@command(assess, Permission.RUN_ASSESSMENT, "run")
def run_period(
    period: Annotated[
        str, typer.Argument(metavar="PERIOD", help="A month like 2026-10, or a quarter like 2026Q3.")
    ],
) -> None:
    """Count a period that is over: every measure, by operator, city, outlet, opening month and platform.

    Active cards come from the store (DUANKA_STORE). Without one they are unknown, and so are rates.
    """
    with at_desk() as (here, person):
        made = here.assessment.runs.run(AssessmentPeriod.read(period), person, here.now())
        units = len(here.assessment.listings.candidates(made, person))
        left = here.assessment.listings.unjudged(made, person)
    say(f"考核 {made.id}：{made.period}", f"Run {made.id}: {made.period}")
    _say_of(made)
    if units:
        following = f"duanka assess candidates --run {made.id}"
        say(
            f"符合挂牌条件的单位：{units}，{following}",
            f"{units} meet the criterion for listing: {following}",
        )
    for one in left:
        line(shown(one.words))
    say(f"下一步：duanka assess show --run {made.id}", f"Next: duanka assess show --run {made.id}")


@command(assess, Permission.READ_ASSESSMENT)
@lists()
def show(
    run: Run = "",
    by: By = None,
    measure: Annotated[Measure | None, typer.Option("--measure", help="Only this measure.")] = None,
    formulas: Annotated[
        bool, typer.Option("--formulas", help="Say how each measure is counted, instead.")
    ] = False,
    *,
    asked: ListOptions,
) -> None:
    """Show the figures of a run, of all together or by unit.

    The order is by what was counted: it ranks nobody.
    """
    if formulas:
        line(shown(worded.OURS))
        for one in Measure if measure is None else (measure,):
            line(f"{one.value}  {shown(one.words)}: {shown(worded.FORMULAS[one])}")
        return
    with at_desk() as (here, person):
        found = here.assessment.runs.get(run, person)
        figures = here.assessment.runs.figures(found, person, by, measure)
    if not asked.for_programs:
        say(f"考核 {found.id}：{found.period}", f"Run {found.id}: {found.period}")
        _say_of(found)
    print_list(tables.FIGURES, figures, asked.of(person))


@command(assess, Permission.READ_ASSESSMENT)
@lists()
def runs(*, asked: ListOptions) -> None:
    """List the runs, the latest first."""
    with at_desk() as (here, person):
        found = here.assessment.runs.listed(person)
    print_list(tables.RUNS, found, asked)


@command(assess, Permission.LIST_ASSESSED)
@lists()
def rows(
    measure: Annotated[Measure, typer.Option("--measure", help="Which measure.")],
    run: Run = "",
    by: By = None,
    unit: Annotated[str, typer.Option("--unit", help="Which unit; empty: those whose unit is unknown.")] = "",
    every: Annotated[
        bool, typer.Option("--every", help="Also what the measure does not count, but is of.")
    ] = False,
    *,
    asked: ListOptions,
) -> None:
    """List what lies behind a figure, masked, the earliest first. It stands in the audit trail."""
    with at_desk() as (here, person):
        found = here.assessment.runs.get(run, person)
        of = opened.AssessedUnit(measure, by, unit, every)

        def fetch(after: str, limit: int) -> tables.FetchedPage:
            page = here.assessment.rows.page(found, of, person, here.now(), after, limit)
            return tables.FetchedPage(*page)

        print_list(tables.ROWS, pages(fetch), asked.of(person))


listings.add_to(assess)


def _say_of(made: AssessmentRun) -> None:
    if made.exposure:
        why = text_shown(made.exposure)
        say(f"活跃号码未知，涉案率因此未知：{why}", f"Active cards are unknown, and so are rates: {why}")
