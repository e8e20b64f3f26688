"""Start Kamailio: `python -m duanka.network.sip.kamailio_start FOLDER COMMAND...`.

Kamailio exits if it cannot read its lists, and then not even emergency calls pass. So the lists are checked, and
repaired if damaged, before this process execs Kamailio. Phone numbers in its log are masked.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from pathlib import Path

from duanka.domain.errors import DuankaError
from duanka.domain.network import Carried
from duanka.network.process_logs import mask_stderr
from duanka.network.refusal_store import RefusedFile
from duanka.network.sip.element import REFUSED
from duanka.network.sip.lists import make

_LOG = logging.getLogger(__name__)


def start(folder: Path, command: list[str]) -> None:
    """Exec `command` in `folder`; does not return."""
    try:
        make(folder)
        RefusedFile(folder / REFUSED, "call_proxy", Carried.CALL).make()
    except (OSError, sqlite3.Error, DuankaError) as error:  # disk full: the existing lists may still load
        _LOG.error("the files in %s cannot be looked through: %s", folder, error)
    mask_stderr()
    os.chdir(folder)
    os.execv(command[0], command)  # noqa: S606  # our own command line


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    start(Path(sys.argv[1]), sys.argv[2:])
