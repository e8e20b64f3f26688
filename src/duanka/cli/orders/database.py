"""`duanka database`: schema version, upgrade and backups of the order database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from duanka.bootstrap.policies import policy_named
from duanka.cli.output.lists import say
from duanka.cli.people.acting import AtDesk, Why, command
from duanka.cli.shell.language import shown
from duanka.cli.shell.lazy import lazily
from duanka.cli.shell.process import ExitCode
from duanka.domain.authority import Permission
from duanka.domain.local_time import operator_zone
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.bootstrap import orders as app_orders
    from duanka.bootstrap.settings import Settings
    from duanka.ledger.audit.trail import UpgradeTold
    from duanka.ledger.db import installation, tables
    from duanka.orders.monitoring import backups
else:
    app_orders = lazily("duanka.bootstrap.orders")
    backups = lazily("duanka.orders.monitoring.backups")
    installation = lazily("duanka.ledger.db.installation")
    tables = lazily("duanka.ledger.db.tables")


def add_database(cli: typer.Typer, out: Console, settings: Callable[[], Settings]) -> None:
    """Add `database` to the commands."""
    database = typer.Typer(
        help="The order database 工单数据库: its version, its upgrade, copies of it.", no_args_is_help=True
    )
    cli.add_typer(database, name="database")
    _add_status(database, out, settings)
    _add_upgrade(database, out, settings)
    add_backup(database, out, AtDesk(settings))


def add_backup(group: typer.Typer, out: Console, at_desk: AtDesk) -> None:
    """Add `backup`; `duanka orders backup` is an alias."""

    @command(group, Permission.BACK_UP)
    def backup(
        file: Annotated[
            Path, typer.Argument(help="The file to write; it holds numbers, and is its owner's alone.")
        ],
        why: Why,
    ) -> None:
        """Copy the order book to a file, whole, also while `serve` runs; docs/OPERATIONS.md says how to restore it."""
        with at_desk(Permission.BACK_UP) as (here, person):
            size = backups.back_up(here.store, here.trail, file, person, why, app_orders.now())
        out.print(
            f"{file}: {size:,} bytes. The secret is not in it: keep it apart.",
            highlight=False,
            soft_wrap=True,
        )


def _add_status(database: typer.Typer, out: Console, settings: Callable[[], Settings]) -> None:
    @database.command()
    def status() -> None:
        """Say of which version the database is, and when it was upgraded; exit code 4: an upgrade is due.

        Nothing is changed, and no key is needed: whoever runs it has the database and the secret.
        """
        chosen = settings()
        needed = tables.SCHEMA_VERSION
        try:
            with (
                app_orders.desk(
                    chosen, policy_named(chosen.policy), check_network=False, read_only=True
                ) as here,
                here.store.reading() as connection,
            ):
                name, upgrades = here.store.name, here.trail.upgrades(connection)
        except installation.OlderVersion as older:
            version = installation.version_words(older.version)
            say(
                out,
                f"{older.name}：{shown(version)}，需要版本 {needed}；升级：`duanka database upgrade`。",
                f"{older.name}: {shown(version)}, needed is version {needed}; to upgrade it:"
                " `duanka database upgrade`.",
            )
            raise typer.Exit(ExitCode.LOOK) from None
        say(out, f"{name}：版本 {needed}，与本程序一致。", f"{name}: of version {needed}, as it should be.")
        for one in upgrades:
            say_upgrade(out, one)


def say_upgrade(out: Console, upgrade: UpgradeTold) -> None:
    """Print the date of the upgrade and the coverage of the audit trail since."""
    at, version = operator_zone().written(upgrade.at), shown(installation.version_words(upgrade.before))
    say(
        out,
        f"{at} 升级，原为{version}（审计链第 {upgrade.seq} 条）。",
        f"Upgraded {at}, was {version} (row {upgrade.seq} of the trail).",
    )
    if upgrade.is_baseline:
        say(
            out,
            f"从第 {upgrade.first} 条起，审计链覆盖工单、处置、人员和密钥；此前只核对审计链自身。",
            f"From row {upgrade.first} on the trail covers orders, acts, people and keys; before it, the trail alone"
            " is verified.",
        )


def _add_upgrade(database: typer.Typer, out: Console, settings: Callable[[], Settings]) -> None:
    @database.command()
    def upgrade(
        despite_faults: Annotated[
            str,
            typer.Option(
                metavar="WHY",
                help="Go on although the audit trail does not hold, and why; it stays in the trail.",
            ),
        ] = "",
    ) -> None:
        """Upgrade a database of an earlier version, as the first command that opens it does; on SQLite after a copy.

        Stop every `duanka serve` before. No key is needed: whoever runs it has the database and the secret.
        """
        chosen, told = settings(), list[str]()

        def tell(words: BilingualText) -> None:
            told.append(shown(words))
            out.print(told[-1], highlight=False, soft_wrap=True)

        terms = app_orders.upgrade_terms(chosen, tell, despite_faults.strip())
        with app_orders.desk(chosen, policy_named(chosen.policy), check_network=False, upgrade=terms) as here:
            name = here.store.name
        if not told:
            version = tables.SCHEMA_VERSION
            say(
                out,
                f"{name} 已是版本 {version}，无须升级。",
                f"{name} is of version {version} already: nothing to do.",
            )
