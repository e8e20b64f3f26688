"""`duanka assess`: a period counted by unit; what each measure is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import line, print_list, say
from duanka.cli.people.acting import at_desk, command
from duanka.cli.shell.language import shown, text_shown
from duanka.cli.shell.lazy import lazily, new_group
from duanka.domain.assessment import AssessmentPeriod, Measure, UnitKind
from duanka.domain.authority import Permission

if TYPE_CHECKING:
    from duanka.assessment import formulas as worded
    from duanka.assessment.runs import AssessmentRun
    from duanka.cli.assessment import tables
else:
    tables = lazily("duanka.cli.assessment.tables")
    worded = lazily("duanka.assessment.formulas")

Run = Annotated[
    str, typer.Argument(metavar="[RUN]", help="A run's id, or its period; default: the latest run.")
]
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
    chosen = AssessmentPeriod.read(period)
    with at_desk() as (here, person):
        made = here.assessment.runs.run(chosen, person, here.now())
    say(f"考核 {made.id}：{made.period}", f"Run {made.id}: {made.period}")
    _say_of(made)
    say(f"下一步：duanka assess show {made.id}", f"Next: duanka assess show {made.id}")


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


def _say_of(made: AssessmentRun) -> None:
    if made.exposure:
        why = text_shown(made.exposure)
        say(f"活跃号码未知，涉案率因此未知：{why}", f"Active cards are unknown, and so are rates: {why}")
