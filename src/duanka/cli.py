"""The command line. Exit codes: 0 done; 2 wrong use or unreadable input; 3 done, but too many records quarantined."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from pydantic import ValidationError
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from duanka import __version__
from duanka.app_policies import policy_named, rule_named, shipped
from duanka.cli_desk import add_desk
from duanka.cli_identity import add_identity
from duanka.cli_lazy import lazily
from duanka.cli_live import add_live
from duanka.cli_mapping import add_mapping
from duanka.cli_morning import add_morning
from duanka.cli_network import add_network
from duanka.cli_objections import add_objections
from duanka.cli_orders import add_orders
from duanka.cli_persons import add_persons
from duanka.cli_process import SafeConsole, prepare_process
from duanka.cli_serve import add_serve
from duanka.domain.errors import DuankaError
from duanka.domain.local_time import operator_zone
from duanka.domain.masking import masked_text
from duanka.domain.rule import Literal as LimitValue
from duanka.domain.rule import Rule
from duanka.rules import RULES
from duanka.settings import Settings, in_force, setting_names

if TYPE_CHECKING:
    from duanka import app, evaluation, simulator, specification
    from duanka import cli_backtest as backtest
    from duanka import cli_tables as tables
else:
    app = lazily("duanka.app")
    evaluation = lazily("duanka.evaluation")
    simulator = lazily("duanka.simulator")
    specification = lazily("duanka.specification")
    backtest = lazily("duanka.cli_backtest")
    tables = lazily("duanka.cli_tables")

_TOO_MANY_QUARANTINED = 3
_WRONG_USE = 2
# their errors can quote a number
_ABOUT_CARDS = ("orders", "cards", "objections", "counter", "reviews", "keys", "audit")
_INTERRUPTED = 130  # by Ctrl-C; the shell's own number for it

cli = typer.Typer(
    name="duanka",
    help="断卡 Duanka: find the phone cards that fraud runs on, and say why. Times are local to the operator.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
rules_cli = typer.Typer(help="The catalogue of rules: list, show, test, backtest.", no_args_is_help=True)
cli.add_typer(rules_cli, name="rules")
# what a file says is text: [brackets] in it are no markup, :words: no emoji
_out, _err = (SafeConsole(markup=False, emoji=False, stderr=stderr) for stderr in (False, True))

Data = Annotated[
    Path, typer.Argument(help="Directory of records (docs/FORMAT.md), or with --mapping a file.")
]
PolicyName = Annotated[str, typer.Option("--policy", help="national, hebei, or a FILE.toml.")]
MappingFile = Annotated[
    Path | None,
    typer.Option(
        "--mapping",
        help="Mapping of a foreign format, FILE.toml (docs/MAPPING.md), or the name of a shipped one: tap3.",
    ),
]
Lists = Annotated[
    Path | None, typer.Option(help="Area lists, FILE.toml; default: world.toml beside the records.")
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="Now, like 2021-05-17 or 2021-05-17T18:00, local as the records are; nothing after it is seen."
        " Default: the end of the last day in the records.",
    ),
]


class _Steps:
    """Shows long work on a terminal's error stream; says nothing into a pipe."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def step(self, what: str, done: float, total: float | None = None) -> None:
        """`what` has come to `done` of `total`."""
        self._progress.update(self._task, description=what, completed=done, total=total)


@contextmanager
def _steps() -> Iterator[_Steps]:
    columns = (SpinnerColumn(), TextColumn("{task.description:<28}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as progress:
        yield _Steps(progress)


@cli.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Empty or new directory for the invented province.")],
    cards: Annotated[int, typer.Option(help="How many cards, from 100.")] = 200_000,
    days: Annotated[int, typer.Option(max=3650, help="How many days of records.")] = 14,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Same seed, same province.")] = 7,
    strategy: Annotated[
        Literal["naive", "evasive", "mixed"], typer.Option(help="How the invented gangs behave.")
    ] = "mixed",
) -> None:
    """Invent a province with known truth: records in our own format, and truth.parquet."""
    with _steps() as steps:
        world = simulator.simulate(out, cards=cards, days=days, seed=seed, strategy=strategy, progress=steps)
    counts = ", ".join(f"{name} {n:,}" for name, n in world.rows.items())
    _out.print(f"Invented province in {out}: {counts}.", highlight=False)
    _out.print(f"Next: duanka scan {out}", highlight=False)


@cli.command()
def scan(
    data: Data,
    mapping: MappingFile = None,
    policy: PolicyName = "national",
    lists: Lists = None,
    as_of: AsOf = None,
    out: Annotated[Path | None, typer.Option(help="Output folder; default: DATA/duanka-out.")] = None,
    memory: Annotated[
        str | None, typer.Option(help="Memory to stay within; then it spills. Default 1GB.")
    ] = None,
    engine: Annotated[
        Literal["embedded", "spark"], typer.Option(help="Where the rules run: here, or on a Spark cluster.")
    ] = "embedded",
    remote: Annotated[
        str | None, typer.Option(help="Spark Connect server, sc://host:15002 (docs/CLUSTER.md).")
    ] = None,
    language: Annotated[
        Literal["zh", "en"] | None,
        typer.Option(help="Language of the reasons in cards_at_risk.csv; default zh."),
    ] = None,
    shadow: Annotated[
        list[str] | None,
        typer.Option(help="Rule that runs but decides nothing (影子规则); may be given several times."),
    ] = None,
    max_bad: Annotated[
        str, typer.Option("--max-bad", help="Share of quarantined records above which the exit code is 3.")
    ] = "1%",
) -> None:
    """Find the cards at risk in a directory of records; exit code 3 when too many records were quarantined."""
    allowed = _share(max_bad)
    settings = _settings()
    folder = app.output_folder(data, out)
    with _steps() as steps:
        findings = app.scan(
            settings,
            data,
            folder,
            policy=policy_named(policy).with_shadow([rule_named(one).id for one in shadow or ()]),
            mapping=mapping,
            lists=lists,
            as_of=operator_zone().read_local(as_of, "--as-of") if as_of else None,
            memory=memory,
            language=language,
            progress=steps,
            remote=app.remote_for(settings, engine, remote),
        )
    intake = findings.intake
    too_bad = intake.quarantined > allowed * intake.records or any(f.unreadable for f in intake.files)
    _out.print(tables.summary(findings, folder, too_bad=too_bad, allowed=allowed))
    if settings.decision_key is None:
        _out.print(app.NO_SEAL, style="yellow", highlight=False)
    if too_bad:
        raise typer.Exit(_TOO_MANY_QUARANTINED)


@cli.command()
def evaluate(
    out: Annotated[Path, typer.Argument(help="Output folder of a scan.")],
    truth: Annotated[Path, typer.Option(help="Parquet file: card, fraud, role, strategy.")],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
) -> None:
    """Compare a scan with the truth: precision, recall, and what it costs honest people."""
    found = tables.evaluation_tables(evaluation.evaluate(out, truth), markdown=markdown)
    _out.print(found, highlight=False, soft_wrap=markdown)


@cli.command()
def spec(
    results: Annotated[
        Path | None, typer.Option(help="Results of a test run; default: the last `make test` in this folder.")
    ] = None,
) -> None:
    """Print every requirement of SPECIFICATION.md with its state from the tests that ran."""
    stated = specification.read(shipped("", "SPECIFICATION.md"))
    ran = specification.results(results or Path(specification.RESULTS))
    _out.print(tables.specification_table(stated, ran))


@rules_cli.command("list")
def rules_list(policy: PolicyName = "national") -> None:
    """List the rules in the order in which they run."""
    _out.print(tables.rules_table(RULES, policy_named(policy)))


@rules_cli.command("show")
def rules_show(
    rule: Annotated[str, typer.Argument(help="Id of the rule.")], policy: PolicyName = "national"
) -> None:
    """Show a rule: why, whom it could wrong, its limits and their authority, its SQL, its examples."""
    _out.print(tables.rule_page(rule_named(rule), policy_named(policy)))


@rules_cli.command("test")
def rules_test(
    rule: Annotated[str | None, typer.Argument(help="Id of the rule; all without one.")] = None,
) -> None:
    """Run the rules over their own examples; exit code 2 when one does otherwise than it says."""
    chosen = [rule_named(rule)] if rule else list(RULES)
    outcomes = [outcome for one in chosen for outcome in app.try_examples(one)]
    _out.print(tables.trials_table(outcomes))
    if any(not outcome.passed for outcome in outcomes):
        raise typer.Exit(_WRONG_USE)


@rules_cli.command("backtest")
def rules_backtest(
    rule: Annotated[str, typer.Argument(help="Id of the rule.")],
    data: Data,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="limit=value; may be given several times. Without it: what the rule does beside the others.",
        ),
    ] = None,
    policy: PolicyName = "national",
    mapping: MappingFile = None,
    lists: Lists = None,
    as_of: AsOf = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="Parquet file: card, fraud, role, strategy. Default: DATA/truth.parquet."),
    ] = None,
    show: Annotated[
        int, typer.Option(min=0, max=1000, help="How many gained and how many lost cards to show, shortened.")
    ] = 0,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
) -> None:
    """Run a rule over history with changed limits: cards gained and lost, what would be asked, who it would be."""
    one, under = rule_named(rule), policy_named(policy)
    changed = dict(_limit(one, text) for text in change or ())
    with _steps() as steps:
        outcome, changes = app.backtest(
            _settings(),
            data,
            one,
            changed,
            policy=under,
            mapping=mapping,
            lists=lists,
            as_of=operator_zone().read_local(as_of, "--as-of") if as_of else None,
            truth=truth,
            examples=show,
            progress=steps,
        )
    _out.print(
        backtest.backtest_tables(outcome, changes, under, markdown=markdown),
        highlight=False,
        soft_wrap=markdown,
    )


@cli.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        _out.print(f"duanka {__version__}", highlight=False)
        raise typer.Exit


def main() -> None:
    """Run the command line; whatever a person can put right comes as one line, never as a traceback."""
    prepare_process()
    warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # None or another thing where a desk's program starts us
            stream.reconfigure(errors="replace")  # a terminal without Chinese must not cost the answer
    try:
        cli()
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            _err.print("duanka: interrupted; what an earlier scan wrote is as it was", style="red")
        raise
    except DuankaError as error:
        told = masked_text(str(error)) if sys.argv[1:2] and sys.argv[1] in _ABOUT_CARDS else str(error)
        _err.print(f"duanka: {told}", style="red", highlight=False, soft_wrap=True)
        sys.exit(_WRONG_USE)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _err.print(f"duanka: {where}{error.strerror or error}", style="red", soft_wrap=True)
        sys.exit(_WRONG_USE)


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise DuankaError(f"the setting DUANKA_{name} is wrong: {first['msg']}") from None


@cli.command("config")
def config() -> None:
    """Print the settings in force in this shell; secrets are not shown (docs/SETTINGS.md)."""
    width = max(map(len, setting_names()))
    for name, value in in_force(_settings()).items():
        _out.print(f"{name:<{width}}  {value or '-'}", highlight=False, soft_wrap=True)


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise DuankaError(f"--max-bad {text!r} is not a share; write it like 1% or 0.01")
    return share


def _limit(rule: Rule, text: str) -> tuple[str, LimitValue]:
    name, _, value = text.partition("=")
    if name not in rule.limits:
        raise DuankaError(f"--set {text!r}: rule {rule.id} has the limits {', '.join(rule.limits)}")
    default = rule.limits[name].value
    try:
        given = date.fromisoformat(value) if isinstance(default, date) else type(default)(value)
    except ValueError as error:
        raise DuankaError(f"--set {text!r}: {name} must be like {default}") from error
    if fault := rule.limit_fault(name, given):
        raise DuankaError(f"--set {text!r}: {name} {fault}")
    return name, given


add_mapping(cli, _out)
add_live(cli, _out, _err, _settings)
add_morning(cli, _out, _err, _settings, _share)
add_serve(cli, _out, _err, _settings)
add_orders(cli, _out, _settings)
add_objections(cli, _out, _settings)
add_network(cli, _out, _settings)
add_desk(cli, _out, _err, _settings)
add_persons(cli, _out, _settings)
add_identity(cli, _out, _settings)

if __name__ == "__main__":
    main()
