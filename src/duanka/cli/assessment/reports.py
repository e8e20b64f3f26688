"""`duanka report`: what was counted of a period, as a document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.output.lists import say
from duanka.cli.people.acting import at_desk, command
from duanka.cli.shell.language import language
from duanka.cli.shell.lazy import lazily, new_group
from duanka.domain.authority import Permission

if TYPE_CHECKING:
    from duanka.assessment.report import service
else:
    service = lazily("duanka.assessment.report.service")

commands = typer.Typer()
report = new_group(commands, "report")


@command(report, Permission.READ_ASSESSMENT, "assessment")
def assessment_report(
    period: Annotated[
        str,
        typer.Argument(metavar="PERIOD", help="A period that was run (`duanka assess run`), or a run's id."),
    ],
    out: Annotated[Path, typer.Option("--out", help="FILE.pdf or FILE.xlsx; one that is there is replaced.")],
) -> None:
    """Write the report of a period: both sides, units compared with bounds, plots, formulas.

    In the display language. It compares all operators and cities, so it needs somebody who sees all of them.
    """
    with at_desk() as (here, person):
        found = here.assessment.reports.of(period, person)
        here.assessment.reports.write(found, out, language())
    say(f"已写出 {out}：{found.period}，考核 {found.run}", f"Wrote {out}: {found.period}, run {found.run}")
