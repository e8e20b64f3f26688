"""`duanka doctor`: one line per finding, with the next step."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.cli.shell.lazy import lazily
from duanka.cli.shell.process import CAUTION, OUT, ExitCode, with_home

if TYPE_CHECKING:
    from duanka.bootstrap.doctor import checks
    from duanka.bootstrap.doctor import examination as app_doctor
else:
    checks = lazily("duanka.bootstrap.doctor.checks")
    app_doctor = lazily("duanka.bootstrap.doctor.examination")

_STYLES = {"OK": "green", "WARNING": CAUTION, "FAULT": "red"}


commands = typer.Typer()


@commands.command()
def doctor(
    nats: Annotated[
        str | None, typer.Option(help="Ask this JetStream server, too: nats://host:4222.")
    ] = None,
    remote: Annotated[
        str | None, typer.Option(help="Ask this Spark Connect server, too: sc://host:15002.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check settings, folders, database, people, network and optional parts; say what to do next.

    Changes nothing and prints no secret. Exit codes: 0 no fault (there may be warnings), 4 a fault.
    """
    results = app_doctor.examine(app_doctor.installation(nats, remote), checks.CHECKS)
    if as_json:
        rows = [
            {
                "check": one.check,
                "level": one.finding.level,
                "text": with_home(one.finding.text),
                "next": with_home(one.finding.next_step) or None,
            }
            for one in results
        ]
        _say(json.dumps({"faults": _count(results, "FAULT"), "checks": rows}, ensure_ascii=False))
    else:
        _print(results)
    if _count(results, "FAULT"):
        raise typer.Exit(ExitCode.LOOK)


def _print(results: Sequence[app_doctor.DoctorResult]) -> None:
    """Print each finding; wrapped on a terminal, on one line in a pipe."""
    name = max(len(one.check) for one in results)
    margin = len("WARNING") + name + 4
    for one in results:
        found = one.finding
        said = [found.text, f"next: {found.next_step}"] if found.next_step else [found.text]
        text = _folded(said, margin) if OUT.is_terminal else "; ".join(said)
        _say(f"{found.level:<7}", style=_STYLES[found.level], end="  ")
        _say(f"{one.check:<{name}}  {text}")
    faults, warnings = _count(results, "FAULT"), _count(results, "WARNING")
    _say(f"{faults} fault(s), {warnings} warning(s) in {len(results)} lines")


def _folded(said: Sequence[str], margin: int) -> str:
    """Wrap each text to the terminal, with lines indented by `margin`."""
    blank = " " * margin
    lines = [
        textwrap.fill(
            part,
            max(OUT.width, margin + 30),
            initial_indent=blank,
            subsequent_indent=blank,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for part in said
    ]
    return "\n".join(lines).lstrip()


def _say(text: str, style: str | None = None, end: str = "\n") -> None:
    OUT.print(text, style=style, end=end, soft_wrap=True)


def _count(results: Sequence[app_doctor.DoctorResult], level: str) -> int:
    return sum(one.finding.level == level for one in results)
