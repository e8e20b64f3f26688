"""`duanka database`: schema version, upgrade and backups of the order database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import load_settings
from duanka.cli.output.lists import line, say
from duanka.cli.people.acting import Why, at_desk, command
from duanka.cli.shell.language import shown
from duanka.cli.shell.lazy import lazily, new_group
from duanka.cli.shell.process import ExitCode
from duanka.domain.authority import Permission
from duanka.domain.local_time import operator_zone
from duanka.domain.text import BilingualText

if TYPE_CHECKING:
    from duanka.bootstrap import orders as app_orders
    from duanka.bootstrap.store import folders
    from duanka.ledger.audit.trail import UpgradeTold
    from duanka.ledger.db import installation, tables
    from duanka.orders.monitoring import backups
else:
    app_orders = lazily("duanka.bootstrap.orders")
    folders = lazily("duanka.bootstrap.store.folders")
    backups = lazily("duanka.orders.monitoring.backups")
    installation = lazily("duanka.ledger.db.installation")
    tables = lazily("duanka.ledger.db.tables")


commands = typer.Typer()
database = new_group(commands, "database")


def backup(
    file: Annotated[
        Path, typer.Argument(help="The file to write; it holds numbers, and is its owner's alone.")
    ],
    why: Why,
) -> None:
    """Copy the order database to a file, whole, also while `serve` runs; docs/OPERATIONS.md says how to restore it."""
    with at_desk() as (here, person):
        folders.must_lie_outside(file, "FILE")
        size = backups.back_up(here.store, here.trail, file, person, why, app_orders.now())
    line(f"{file}: {size:,} bytes. The secret is not in it: keep it apart.")


@database.command()
def status() -> None:
    """Say of which version the database is, and when it was upgraded; exit code 4: an upgrade is due.

    Nothing is changed, and no key is needed: whoever runs it has the database and the secret.
    """
    chosen = load_settings()
    needed = tables.SCHEMA_VERSION
    try:
        with (
            app_orders.desk(chosen, policy_named(chosen.policy), check_network=False, read_only=True) as here,
            here.store.reading() as connection,
        ):
            name, upgrades = here.store.name, here.trail.upgrades(connection)
    except installation.OlderVersion as older:
        version = installation.version_words(older.version)
        say(
            f"{older.name}：{shown(version)}，需要版本 {needed}；升级：`duanka database upgrade`。",
            f"{older.name}: {shown(version)}, needed is version {needed}; to upgrade it:"
            " `duanka database upgrade`.",
        )
        raise typer.Exit(ExitCode.LOOK) from None
    say(f"{name}：版本 {needed}，与本程序一致。", f"{name}: of version {needed}, as it should be.")
    for one in upgrades:
        say_upgrade(one)


def say_upgrade(upgrade: UpgradeTold) -> None:
    """Print the date of the upgrade and the coverage of the audit trail since."""
    at, version = operator_zone().written(upgrade.at), shown(installation.version_words(upgrade.before))
    say(
        f"{at} 升级，原为{version}（审计链第 {upgrade.seq} 条）。",
        f"Upgraded {at}, was {version} (row {upgrade.seq} of the trail).",
    )
    if upgrade.is_baseline:
        say(
            f"从第 {upgrade.first} 条起，审计链覆盖工单、处置、人员和密钥；此前只核对审计链自身。",
            f"From row {upgrade.first} on the trail covers orders, bulk actions, people and keys; before it, the"
            " trail alone is verified.",
        )


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
    chosen, told = load_settings(), list[str]()

    def tell(words: BilingualText) -> None:
        told.append(shown(words))
        line(told[-1])

    terms = app_orders.upgrade_terms(chosen, tell, despite_faults.strip())
    with app_orders.desk(chosen, policy_named(chosen.policy), check_network=False, upgrade=terms) as here:
        name = here.store.name
    if not told:
        version = tables.SCHEMA_VERSION
        say(
            f"{name} 已是版本 {version}，无须升级。",
            f"{name} is of version {version} already: nothing to do.",
        )


command(database, Permission.BACK_UP)(backup)
