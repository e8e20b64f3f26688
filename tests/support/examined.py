"""Types `duanka doctor` in this process, for tests: a new process costs two seconds each."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.cli import main as cli

SECRET = "a secret that is long enough for it all"  # noqa: S105  # of tests


@dataclass(frozen=True)
class Examined:
    """What it said. `text`: all of it, as JSON."""

    code: int
    text: str

    def lines(self, check: str, level: str = "") -> list[str]:
        """What it says and what to do, of the findings of a check."""
        rows = [row for row in json.loads(self.text)["checks"] if row["check"] == check]
        return [f"{row['text']} {row['next'] or ''}" for row in rows if level in ("", row["level"])]

    def line(self, check: str, level: str) -> str:
        """The one finding of a check."""
        found, (one,) = self.lines(check, level), self.lines(check)
        assert found == [one], (check, level, one)
        return one


def doctor(*words: str, **environment: str) -> Examined:
    """As a person types it, with nothing set but this. DUANKA_HOME names a place."""
    unset = {name: None for name in os.environ if name.startswith("DUANKA_")}
    found = CliRunner().invoke(cli.cli, ["doctor", "--json", *words], env={**unset, **environment})
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return Examined(found.exit_code, found.output)


def order_database(folder: Path, *, people: int = 2, url: str = "") -> dict[str, str]:
    """The settings of an order database that begins now, with so many people."""
    folder.mkdir(mode=0o700, exist_ok=True)
    said = {"DUANKA_ORDERS": str(folder), "DUANKA_SECRET": SECRET}
    if url:
        said["DUANKA_DATABASE_URL"] = url
    named = {name.removeprefix("DUANKA_").lower(): value for name, value in said.items()}
    with app_orders.desk(
        Settings.model_validate(named), policy_named("national"), create=True, check_network=False
    ) as here:
        if people:
            _, invitation = here.persons.begin("wang", "王", "a test", app_orders.now())
        if people > 1:
            here.persons.join(invitation, "li", "李", app_orders.now())
    return said
