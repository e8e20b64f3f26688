"""`duanka init` and `config`: create an installation, show its settings."""

from __future__ import annotations

import getpass
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duanka.bootstrap import home_folder
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import in_force, load_settings, resolve_settings, setting_names
from duanka.cli.shell import language as cli_language
from duanka.cli.shell.completion import policies_like
from duanka.cli.shell.lazy import lazily
from duanka.cli.shell.process import OUT
from duanka.domain.errors import DuankaError
from duanka.domain.person import Person, Role
from duanka.domain.policy import Policy
from duanka.domain.private_files import private_folder, write_private

if TYPE_CHECKING:
    from duanka.bootstrap import orders as app_orders
else:
    app_orders = lazily("duanka.bootstrap.orders")

_CONTENT = """# Settings of this installation; `duanka config` shows those in force, docs/SETTINGS.md explains each.
# Paths are relative to this file. The environment (DUANKA_...) goes before this file.
orders = "orders"            # order database (SQLite), live records
secret_file = "secret"       # key of the audit trail and of links: keep a copy apart from the database
holder_key_file = "holder-key"   # key of the hashes of document numbers: with another one, no holder is recognised
inbox = "inbox"              # records land here: `duanka live`
# store = "store"            # `duanka morning` keeps all records here, for nights and lookups (docs/STORE.md)
# links = "links"            # `duanka links build store --out links` after each night: rings by HTTP (docs/LINKS.md)
out = "out"                  # what `duanka scan` writes
decisions = "out"            # what `duanka serve` makes orders of
policy = {policy}
host = "127.0.0.1"
port = 8080
# database_url_file = "database-url"   # PostgreSQL instead of SQLite: a file with its URL
# message_centre_file = "message-centre"
# home_register = "127.0.0.1:4258:4259"
"""

_FOLDERS = ("inbox", "out", "orders")
_FILES = ("secret", "holder-key", "database-url", home_folder.FILE)


commands = typer.Typer()


@commands.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="New or empty folder.")] = Path("."),
    person: Annotated[str, typer.Option("--person", help="Id of the first supervisor.")] = "admin",
    name: Annotated[str, typer.Option("--name", help="Their name, as it is shown; by default the id.")] = "",
    policy: Annotated[
        str, typer.Option(help="national, hebei, or a FILE.toml.", autocompletion=policies_like)
    ] = "national",
) -> None:
    """Make a home folder: duanka.toml, folders, secret, order database, first supervisor, invitation of the second."""
    if (folder / home_folder.FILE).exists():
        raise DuankaError(
            f"{folder / home_folder.FILE} exists, and a home folder is never overwritten; nothing was changed"
        )
    if folder.exists() and any(folder.iterdir()):
        raise DuankaError(f"{folder} is not empty; give a new or empty folder: nothing was changed")
    for variable in ("DUANKA_ORDERS", "DUANKA_SECRET", "DUANKA_SECRET_FILE"):
        if os.environ.get(variable):
            raise DuankaError(
                f"{variable} is set and would go before the new home folder; unset it, then repeat: nothing was changed"
            )
    under = policy_named(policy)  # reports an invalid policy before anything is created
    supervisor = Person(person, Role.SUPERVISOR, name or person)
    written = str(Path(policy).absolute()) if policy.endswith(".toml") else policy
    made_folder = not folder.exists()
    try:
        key, invitation = _made_in(folder, written, under, supervisor)
    except BaseException:  # remove an incomplete installation, so that init can be repeated
        for one in _FOLDERS:
            shutil.rmtree(folder / one, ignore_errors=True)
        for file in _FILES:
            (folder / file).unlink(missing_ok=True)
        if made_folder and folder.exists():
            folder.rmdir()
        raise
    OUT.print(f"Made a home folder in {folder.absolute()}", soft_wrap=True)
    for line in (
        f"The key of {person}, shown this once (export DUANKA_API_KEY=KEY, or a file that DUANKA_API_KEY_FILE names):",
        key,
        "Invitation for the second supervisor, who types:"
        f" duanka --home {folder} persons join INVITATION ID --name NAME",
        invitation,
        f"Next: put records into {folder / 'inbox'}, then duanka --home {folder} scan",
    ):
        OUT.print(line, soft_wrap=True)


def _made_in(folder: Path, policy: str, under: Policy, supervisor: Person) -> tuple[str, str]:
    """Create the files and order database of an installation.

    Returns the supervisor's key and the invitation for the second supervisor.
    """
    private_folder(folder)
    for one in _FOLDERS:
        private_folder(folder / one)
    content = _CONTENT.format(policy=json.dumps(policy, ensure_ascii=False))
    if url := os.environ.get("DUANKA_DATABASE_URL"):  # so that the setting also holds in the next shell
        write_private(folder / "database-url", f"{url}\n".encode())
        content = content.replace(
            '# database_url_file = "database-url"  ', 'database_url_file = "database-url"'
        )
    for key in ("secret", "holder-key"):
        write_private(folder / key, f"{secrets.token_hex(32)}\n".encode())
    write_private(folder / home_folder.FILE, content.encode())
    home_folder.choose(folder)
    with app_orders.desk(load_settings(), under, create=True) as here:
        machine = f"{getpass.getuser()} on this machine"
        return here.persons.begin(supervisor.id, supervisor.display_name, machine, app_orders.now())


@commands.command()
def config(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print every setting, its value and where it is from; secrets are not shown (docs/SETTINGS.md)."""
    found = resolve_settings()
    values = in_force(found.settings)
    sources = {f"DUANKA_{name.upper()}": source for name, source in found.sources.items()}
    if not found.settings.language or cli_language.asked_for(None):  # show the effective language
        values["DUANKA_LANGUAGE"], sources["DUANKA_LANGUAGE"] = cli_language.language_in_force()
    if as_json:
        rows = {name: {"value": value or None, "from": sources[name]} for name, value in values.items()}
        text = json.dumps({"place": found.home and str(found.home), "settings": rows}, ensure_ascii=False)
        OUT.print(text, soft_wrap=True)
        return
    width = max(map(len, setting_names()))
    named = found.home or f"none (no {home_folder.FILE} from here upward; `duanka init` makes one)"
    OUT.print(f"Home folder: {named}", soft_wrap=True)
    for name, value in values.items():
        OUT.print(f"{name:<{width}}  {value or '-'}  [{sources[name]}]", soft_wrap=True)
