"""An order database and its people, at whose commands a test types in this process: a new one costs two seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from typer.testing import CliRunner

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap import scan as app
from duanka.bootstrap.orders import OrderDesk
from duanka.bootstrap.settings import Settings
from duanka.cli import main as cli
from duanka.cli.shell.process import ERR, OUT
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.person import Role
from duanka.domain.policy import Policy
from duanka.domain.private_files import write_private
from duanka.domain.text import BilingualText
from support.desk import ENGLISH
from support.orders.books import receive
from support.people import People

WORKS = {"wang": Role.DESK, "qian": Role.DESK, "li": Role.SUPERVISOR}
WORKS |= {"liaison": Role.POLICE, "ministry": Role.REGULATOR}
SEALED = "0123456789abcdef:1"


def card(number: int) -> str:
    return str(8613000000000 + number)


def demand(number: int, tier: str = "medium") -> OrderDecision:
    reason = BilingualText("一天外呼80个陌生号码", "80 strangers called in a day")
    return OrderDecision(card(number), RequestedAction.VERIFY, tier, reason, ("fan_out",), id=SEALED)


@dataclass(frozen=True)
class Said:
    """How a command ended: its code, and what it printed or the one line of its error."""

    code: int
    text: str

    def id(self, letter: str) -> str:
        """The first id of this kind."""
        found = re.search(rf"\b{letter}[0-9A-Z]{{12}}\b", self.text)
        assert found, self.text
        return found[0]


# the files of a folder where nothing but the people was made yet, and their keys
_BEGUN: list[tuple[Mapping[str, bytes], Mapping[str, str]]] = []


@dataclass
class TypedDesk:
    """Types commands as one of WORKS. `policy`: the file of a policy, or the name of a shipped one."""

    folder: Path
    policy: str = "national"
    keys: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """The people are made as people are by the first desk of a process; all others copy its folder."""
        if _BEGUN:
            ((files, self.keys),) = _BEGUN
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name, content in files.items():
                write_private(self.folder / name, content)
            return
        with self.open(create=True) as here:
            people = People(here.store, here.trail)
            self.keys = {name: people.add(name, role) for name, role in WORKS.items()}
        _BEGUN.append(({file.name: file.read_bytes() for file in self.folder.iterdir()}, self.keys))

    @cached_property
    def _read(self) -> Policy:
        return app.policy_named(self.policy)

    def open(self, *, create: bool = False) -> AbstractContextManager[OrderDesk]:
        settings = Settings(orders=self.folder, policy=self.policy)
        return app_orders.desk(settings, self._read, create=create)

    def demand(self, *demands: OrderDecision) -> None:
        with self.open() as here:
            receive(here.orders, demands, app_orders.now())

    def work(self) -> None:
        """Carry out what the worker of `serve` carries out of acts."""
        with self.open() as here:
            while here.bulk_actions.carry_out(app_orders.now()):
                pass

    def type(self, who: str, *words: str, columns: int = 200, **environment: str) -> Said:
        # A console takes its width when it is made, which another test of this process may have done.
        for console in (OUT, ERR):
            console.width = columns
        found = CliRunner().invoke(
            cli.cli,
            list(words),
            env={
                "DUANKA_ORDERS": str(self.folder),
                "DUANKA_POLICY": self.policy,
                "DUANKA_API_KEY": self.keys.get(who, ""),
                "COLUMNS": str(columns),
                **ENGLISH,
                **environment,
            },
        )
        if found.exception and not isinstance(found.exception, SystemExit):
            return Said(2, f"{type(found.exception).__name__}: {found.exception}")
        return Said(found.exit_code, found.output)

    def done(self, who: str, *words: str, columns: int = 200) -> Said:
        """As `type`; fails where the command did."""
        said = self.type(who, *words, columns=columns)
        assert said.code == 0, (words, said.text)
        return said
