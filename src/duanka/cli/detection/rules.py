"""`duanka rules`: the catalogue, its examples, and the effect of other limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.bootstrap.policies import limit_of, policy_named, rule_named
from duanka.bootstrap.settings import load_settings
from duanka.cli.detection.record_options import AsOf, Data, Lists, MappingFile, PolicyName, steps
from duanka.cli.output.list_options import ListOptions, lists
from duanka.cli.output.lists import line, print_list
from duanka.cli.shell.completion import rules_like
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import OUT, ExitCode
from duanka.domain.local_time import operator_zone
from duanka.rules import RULES

if TYPE_CHECKING:
    from duanka.bootstrap import scan as app
    from duanka.cli.detection import backtest_tables as backtest
    from duanka.cli.detection import rules_tables as tables
else:
    app = lazily("duanka.bootstrap.scan")
    backtest = lazily("duanka.cli.detection.backtest_tables")
    tables = lazily("duanka.cli.detection.rules_tables")

commands = typer.Typer()
rules = new_group(commands, "rules")


@rules.command("list")
@lists(whole=True)
def rules_list(policy: PolicyName = "national", *, asked: ListOptions) -> None:
    """List the rules in the order in which they run."""
    under = policy_named(policy)
    if not (asked.count or asked.for_programs):
        line(tables.policy_line(under))
    print_list(tables.rules_listing(under), [one for one in RULES if one.id in under.rules], asked)


@rules.command("show")
def rules_show(
    rule: Annotated[str, typer.Argument(help="Id of the rule.", autocompletion=rules_like)],
    policy: PolicyName = "national",
) -> None:
    """Show a rule: why, whom it could wrong, its limits and their authority, its SQL, its examples."""
    one = rule_named(rule)
    OUT.print(tables.rule_page(one, policy_named(policy)))
    line(tables.rule_sql(one))


@rules.command("test")
def rules_test(
    rule: Annotated[
        str | None, typer.Argument(help="Id of the rule; all without one.", autocompletion=rules_like)
    ] = None,
) -> None:
    """Run the rules over their own examples; exit code 2 when an outcome is not the one stated."""
    chosen = [rule_named(rule)] if rule else list(RULES)
    outcomes = [outcome for one in chosen for outcome in app.trials(one)]
    OUT.print(tables.trials_table(outcomes))
    if any(not outcome.passed for outcome in outcomes):
        raise typer.Exit(ExitCode.WRONG_USE)


@rules.command("backtest")
def rules_backtest(
    rule: Annotated[str, typer.Argument(help="Id of the rule.", autocompletion=rules_like)],
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
    """Run a rule over past records with changed limits: cards gained and lost, what is asked, and of whom."""
    one, under = rule_named(rule), policy_named(policy)
    changed = dict(limit_of(one, text) for text in change or ())
    with steps() as shown:
        outcome, changes = app.backtest(
            load_settings(),
            data,
            one,
            changed,
            policy=under,
            mapping=mapping,
            lists=lists,
            as_of=operator_zone().read_local(as_of, "--as-of") if as_of else None,
            truth=truth,
            examples=show,
            progress=shown,
        )
    OUT.print(backtest.backtest_tables(outcome, changes, under, markdown=markdown), soft_wrap=markdown)
