"""`duanka mapping` and `duanka quarantine`: find and try mappings, show rejects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.bootstrap.outputs import files as outputs
from duanka.bootstrap.policies import mapping_named, shipped
from duanka.bootstrap.settings import load_settings
from duanka.cli.output.lists import line
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import OUT, ExitCode
from duanka.domain.display import display_name
from duanka.domain.errors import DuankaError
from duanka.domain.local_time import OperatorZone, operator_zone

if TYPE_CHECKING:
    from duanka.cli.detection import mapping_tables as tables
    from duanka.ingest import guessing
    from duanka.ingest.delivery import discovery as delivery
    from duanka.ingest.guessing import checking, proposal
    from duanka.ingest.mapping_files import loader as mapping_file
    from duanka.ingest.validation import quarantine_advice
else:
    tables = lazily("duanka.cli.detection.mapping_tables")
    delivery = lazily("duanka.ingest.delivery.discovery")
    checking = lazily("duanka.ingest.guessing.checking")
    guessing = lazily("duanka.ingest.guessing")
    proposal = lazily("duanka.ingest.guessing.proposal")
    mapping_file = lazily("duanka.ingest.mapping_files.loader")
    quarantine_advice = lazily("duanka.ingest.validation.quarantine_advice")

_BINARY = ("tap3", "ts32298")
_KEPT = ".before"

Rows = Annotated[int, typer.Option(min=0, max=1000, help="Rows of each table to show as they would be read.")]
_NAME = "mapping.toml"
_NO_KEY = (
    "Before that, set DUANKA_HOLDER_KEY or DUANKA_HOLDER_KEY_FILE (`openssl rand -hex 32`; `duanka init`"
    " makes one): document numbers are kept only as keyed hashes"
)


commands = typer.Typer()
mapping = new_group(commands, "mapping")


@mapping.command("guess")
def guess(
    files: Annotated[list[Path], typer.Argument(help="Files, or a directory, as they are delivered.")],
    target: Annotated[
        Path | None, typer.Option("--out", help="Mapping to write, FILE.toml; default: it is printed.")
    ] = None,
    rows: Rows = 20,
    zone: Annotated[str | None, typer.Option(help="The operator's time zone; default Asia/Shanghai.")] = None,
    region: Annotated[
        str, typer.Option(help="Two letters: the country whose numbers come without a country code.")
    ] = "CN",
    times_in: Annotated[
        str | None, typer.Option("--times-in", help="Zone of times that state none, if not --zone: UTC.")
    ] = None,
    direction: Annotated[
        str, typer.Option(help="What the direction codes mean: 1=out,2=in. Needed only if `guess` asks.")
    ] = "",
) -> None:
    """Propose a mapping for files of any form, say how sure each column is, and check it on a sample.

    Exit code 0 when every file has a source and 99% of the sample fits, 3 otherwise.
    """
    if target:
        _may_write(target)
    local = (OperatorZone(zone) if zone else operator_zone()).name
    answers = proposal.GuessAnswers(_zone_named(times_in) if times_in else "", _codes(direction))
    name = target.stem if target else "guessed"
    found = guessing.guess_mapping(
        files,
        name=name,
        zone=local,
        region=region,
        answers=answers,
        shipped={form: _shipped(form) for form in _BINARY},
        rows=rows,
    )
    if target is None:
        line(found.text)
    else:
        _write(target, found.text)
    for part in tables.guessed(found):
        OUT.print(part)
    if target and found.tried:
        where = display_name(str(files[0]))
        first = ", once you answered what is asked above" if found.guess.questions else ""
        following = f"\nNext{first}: duanka scan {where} --mapping {display_name(str(target))}"
        line(following)  # one line, so that it can be copied
        if any("holder" in source.columns for source in found.guess.sources) and not load_settings().key:
            line(_NO_KEY)
    if not found.whole:
        raise typer.Exit(ExitCode.SET_ASIDE)


@mapping.command("try")
def try_(
    data: Annotated[Path, typer.Argument(help="A file, or a directory, as it is delivered.")],
    named: Annotated[Path, typer.Option("--mapping", help="FILE.toml, or the name of a shipped one.")],
    rows: Rows = 20,
) -> None:
    """Show the first rows as a mapping would read them, what would be set aside and why, and what matches nothing.

    Exit code 0 when every file has a source and 99% of the sample fits, 3 otherwise.
    """
    mapping = mapping_file.read_mapping(mapping_named(named))
    tried = checking.try_mapping(delivery.delivered_files(data), mapping, rows=rows)
    for part in tables.tried(tried, mapping):
        OUT.print(part)
    if tried.errors or tried.unmatched or tried.fits < guessing.ENOUGH:
        raise typer.Exit(ExitCode.SET_ASIDE)


@commands.command("quarantine")
def quarantine(
    folder: Annotated[Path, typer.Argument(help="Output folder of a scan, or its quarantine.parquet.")],
    limit: Annotated[int, typer.Option(min=0, max=1000, help="Records of each reason to show.")] = 10,
) -> None:
    """Count the records that were set aside by reason, show the first of each, and say what to do."""
    for part in tables.quarantined(quarantine_advice.counted(folder, limit), quarantine_advice.ADVICE):
        OUT.print(part)


def _shipped(form: str) -> dict[str, object]:
    import tomllib  # noqa: PLC0415  # most commands read no mapping

    return tomllib.loads(shipped("mappings", f"{form}.toml").read_text("utf-8"))


def _zone_named(name: str) -> str:
    try:
        return OperatorZone(name).name
    except DuankaError:
        raise DuankaError(f"--times-in {name!r} is no time zone; write one such as UTC") from None


def _codes(text: str) -> dict[str, str]:
    """Parse `1=out,2=in`."""
    found: dict[str, str] = {}
    for one in filter(None, (part.strip() for part in text.split(","))):
        code, _, way = one.rpartition("=")
        if not code or way not in ("out", "in"):
            raise DuankaError(f"--direction {text!r} is not understood; write it like 1=out,2=in")
        found[code.strip()] = way
    return found


def _may_write(target: Path) -> None:
    """Refuse a file that is no mapping before the long guess."""
    if target.is_dir():
        raise DuankaError(f"{display_name(str(target))} is a folder; name a file, such as {target / _NAME}")
    outputs.may_export(target, "--out", load_settings(), earlier=outputs.MAPPING)


def _write(target: Path, text: str) -> None:
    """Write the mapping; an existing file is kept under another name."""
    from duanka.domain.private_files import write_private  # noqa: PLC0415  # only this command writes

    if target.exists():
        kept = target.with_name(target.name + _KEPT)
        os.replace(target, kept)
        OUT.print(f"What was in {display_name(str(target))} is now {display_name(str(kept))}.")
    write_private(target, text.encode())
