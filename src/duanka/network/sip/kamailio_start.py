"""Starts Kamailio with lists that it can load: `python -m duanka.network.sip.kamailio_start FOLDER COMMAND...`.

Kamailio ends where it cannot read its lists, and then no emergency call passes either. So they are looked through, and
put right where they are spoilt, before it takes the place of this process. What it logs has its numbers masked.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from pathlib import Path

from duanka.domain.errors import DuankaError
from duanka.domain.network import Carried
from duanka.network.masked_log import mask_stderr
from duanka.network.refusal_store import RefusedFile
from duanka.network.sip.element import REFUSED
from duanka.network.sip.lists import make

_LOG = logging.getLogger(__name__)


def start(folder: Path, command: list[str]) -> None:
    """Become `command`, in `folder`; returns never."""
    try:
        make(folder)
        RefusedFile(folder / REFUSED, "call_proxy", Carried.CALL).make()
    except (OSError, sqlite3.Error, DuankaError) as error:  # a full disk: what is there may still be loaded
        _LOG.error("the files in %s cannot be looked through: %s", folder, error)
    mask_stderr()
    os.chdir(folder)
    os.execv(command[0], command)  # noqa: S606  # our own command line


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    start(Path(sys.argv[1]), sys.argv[2:])
