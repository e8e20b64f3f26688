"""Sandbox home register: OsmoHLR on a loopback address with test subscribers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from duanka.domain.network import ServicesBefore
from duanka.domain.private_files import private_folder
from duanka.network.hlr.element import HomeRegister
from duanka.network.hlr.services_file import ServicesFile
from duanka.network.process import OWN_PART_SECONDS, OwnPart, OwnProcess, answers, free_address, program

_VTY, _CTRL, _GSUP = 4258, 4259, 4222  # OsmoHLR 1.5 has fixed ports, so each instance has its own address
_FIRST_IMSI = 460_000_000_000_001
_CONFIG = """\
log stderr
 logging filter all 1
 logging level set-all error
line vty
 bind {host}
ctrl
 bind {host}
hlr
 database {database}
 gsup
  bind ip {host}
"""


class OwnRegister(OwnPart):
    """OsmoHLR in `folder`; a context manager. DuankaError: it is not installed."""

    def __init__(self, folder: Path) -> None:
        self._program = program("osmo-hlr", "osmo-hlr")
        self._folder = folder
        private_folder(folder)
        self.database = folder / "hlr.db"
        self.host = free_address((_VTY, _CTRL, _GSUP))
        self.vty, self.ctrl, self.gsup = (self.host, _VTY), (self.host, _CTRL), (self.host, _GSUP)
        self._config = folder / "osmo-hlr.cfg"
        self._config.write_text(_CONFIG.format(host=self.host, database=self.database.resolve()))

    def start(self) -> None:
        """Start the process and wait until it answers."""
        command = [self._program, "-c", str(self._config), "-l", str(self.database)]
        self._process = OwnProcess(command, self._folder / "osmo-hlr.log")
        self._process.until(lambda: all(answers(self.host, port) for port in (_VTY, _CTRL, _GSUP)))

    def add(self, cards: Iterable[str]) -> dict[str, str]:
        """Add cards with the default services, calls and data; returns card -> IMSI.

        The process must be running, since it creates the database.
        """
        with sqlite3.connect(self.database, timeout=30) as database:
            known = database.execute("SELECT count(*) FROM subscriber").fetchone()[0]
            imsis = {card: str(_FIRST_IMSI + known + number) for number, card in enumerate(cards)}
            database.executemany(
                "INSERT INTO subscriber (imsi, msisdn) VALUES (?, ?)", [(i, c) for c, i in imsis.items()]
            )
        database.close()
        return imsis

    def element(
        self, seconds: float = OWN_PART_SECONDS, services: ServicesBefore | None = None
    ) -> HomeRegister:
        """Client of the register, as the worker uses it. `services`: None for a file in its folder."""
        kept = services or ServicesFile(self._folder / "services.sqlite")
        return HomeRegister(self.vty, self.ctrl, seconds=seconds, services=kept)
