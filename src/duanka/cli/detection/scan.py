"""`duanka simulate`, `scan` and `evaluate`: simulate records, find cards, measure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from duanka.bootstrap.policies import policy_named, rule_named
from duanka.bootstrap.settings import load_settings
from duanka.cli.detection.record_options import (
    AsOf,
    DataOrInbox,
    EngineName,
    Lists,
    MappingFile,
    PolicyName,
    Remote,
    records_folder,
    share_of,
    steps,
)
from duanka.cli.output.lists import say
from duanka.cli.shell.completion import rules_like
from duanka.cli.shell.language import asked_for
from duanka.cli.shell.language import shown as displayed
from duanka.cli.shell.lazy import lazily
from duanka.cli.shell.process import CAUTION, OUT, ExitCode
from duanka.domain.local_time import operator_zone

if TYPE_CHECKING:
    from duanka import simulator
    from duanka.bootstrap import scan as app
    from duanka.cli.detection import evaluation_tables
    from duanka.cli.detection import scan_tables as tables
    from duanka.evaluation import measure
else:
    app = lazily("duanka.bootstrap.scan")
    measure = lazily("duanka.evaluation.measure")
    simulator = lazily("duanka.simulator")
    evaluation_tables = lazily("duanka.cli.detection.evaluation_tables")
    tables = lazily("duanka.cli.detection.scan_tables")


commands = typer.Typer()


@commands.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Empty or new directory for the invented province.")],
    cards: Annotated[int, typer.Option(help="How many cards, from 100.")] = 200_000,
    days: Annotated[int, typer.Option(max=3650, help="How many days of records.")] = 14,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Same seed, same province.")] = 7,
    strategy: Annotated[
        Literal["naive", "evasive", "mixed"], typer.Option(help="How the invented gangs behave.")
    ] = "mixed",
    fraud_share: Annotated[
        float, typer.Option(min=0, max=0.5, help="Share of the cards that belong to the standard gangs.")
    ] = 0.02,  # simulator.FRAUD_SHARE, which would load the simulator with every command of this module
    gangs: Annotated[
        Literal["standard", "r11"],
        typer.Option(help="r11: add the SIM-box gang of SPECIFICATION R11 (docs/WORLDS.md)."),
    ] = "standard",
    imei_per: Annotated[
        Literal["box", "port"],
        typer.Option(help="What an IMEI of that gang's boxes stands for: the box, or one of its ports."),
    ] = "box",
    adversary: Annotated[
        int | None,
        typer.Option(min=1, max=5, help="Add careful gangs of this level, 1 to 5 (docs/WORLDS.md)."),
    ] = None,
    careful_gangs: Annotated[int, typer.Option(min=1, help="How many careful gangs.")] = 4,
    careful_cards: Annotated[int, typer.Option(min=60, help="Cards of each careful gang.")] = 200,
    bridged: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Share of the added gangs' cards that something links to honest cards."
        ),
    ] = 0.0,
    victims: Annotated[
        bool,
        typer.Option(help="Let the gangs work on people; truth_victims.parquet says who would pay when."),
    ] = False,
) -> None:
    """Invent a province with known truth: records in our own format, and truth.parquet."""
    rings = simulator.RingOptions(gangs, imei_per, adversary, careful_gangs, careful_cards, bridged)
    with steps() as shown:
        world = simulator.simulate(
            out,
            cards=cards,
            days=days,
            seed=seed,
            strategy=strategy,
            progress=shown,
            fraud_share=fraud_share,
            rings=rings,
            victims=victims,
        )
    counts = ", ".join(f"{name} {n:,}" for name, n in world.rows.items())
    say(f"虚构的省在 {out}：{counts}。", f"Invented province in {out}: {counts}.")
    say(f"下一步：duanka scan {out}", f"Next: duanka scan {out}")


@commands.command()
def scan(
    data: DataOrInbox = None,
    mapping: MappingFile = None,
    policy: PolicyName = "national",
    lists: Lists = None,
    as_of: AsOf = None,
    out: Annotated[Path | None, typer.Option(help="Output folder; default: DATA/duanka-out.")] = None,
    memory: Annotated[
        str | None, typer.Option(help="Memory limit; beyond it, data is spilled to disk. Default 1GB.")
    ] = None,
    engine: EngineName = "embedded",
    remote: Remote = None,
    language: Annotated[
        Literal["zh", "en"] | None, typer.Option(help="Language of tables and of the work list: zh or en.")
    ] = None,
    shadow: Annotated[
        list[str] | None,
        typer.Option(
            help="Rule that runs but decides nothing (影子规则); may be given several times.",
            autocompletion=rules_like,
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps the records: only what is new in the data is read, and all it holds is judged."
        ),
    ] = None,
    max_bad: Annotated[
        str,
        typer.Option(
            "--max-bad",
            help="Share of records quarantined, or too old for the store, above which the exit code is 3.",
        ),
    ] = "1%",
) -> None:
    """Find the cards at risk in a directory of records; exit code 3 when too many cannot be used."""
    allowed = share_of(max_bad)
    settings = load_settings()
    data = records_folder(data, settings.inbox)
    folder = app.output_folder(data, out or settings.out)
    with steps() as shown:
        findings = app.scan(
            settings,
            data,
            folder,
            policy=policy_named(policy).with_shadow([rule_named(one).id for one in shadow or ()]),
            mapping=mapping,
            lists=lists,
            as_of=operator_zone().read_local(as_of, "--as-of") if as_of else None,
            memory=memory,
            language=asked_for(language),
            progress=shown,
            remote=app.remote_for(settings, engine, remote),
            store=store,
        )
    intake = findings.intake
    too_bad = findings.bad_share > allowed or intake.cut_off
    OUT.print(tables.summary(findings, folder, too_bad=too_bad, allowed=allowed))
    if settings.decision_key is None:
        OUT.print(displayed(app.NO_SEAL), style=CAUTION)
    if too_bad:
        raise typer.Exit(ExitCode.SET_ASIDE)


@commands.command()
def evaluate(
    out: Annotated[Path, typer.Argument(help="Output folder of a scan.")],
    truth: Annotated[Path, typer.Option(help="Parquet file: card, fraud, role, strategy.")],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
) -> None:
    """Compare a scan with the truth: precision, recall, and what it costs honest people."""
    found = evaluation_tables.evaluation_tables(measure.evaluate(out, truth), markdown=markdown)
    OUT.print(found, soft_wrap=markdown)
