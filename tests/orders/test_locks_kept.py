"""A second order database opened in this process takes no lock away from the first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from duanka.domain.private_files import private_database
from duanka.ledger.db.database import Store

_HELD = """
import fcntl, struct, sys
with open(sys.argv[1], "r+b") as file:
    asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
    kind = struct.unpack("hhqqi4x", fcntl.fcntl(file, fcntl.F_GETLK, asked))[0]
print("free" if kind == fcntl.F_UNLCK else "held")
"""


def held(path: Path) -> str:
    """Whether a lock of another process than the one that asks is on the file."""
    return subprocess.run(
        [sys.executable, "-c", _HELD, str(path)], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_opening_it_again_drops_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"
    first = Store(f"sqlite:///{path}")
    try:
        with first.reading() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM orders").scalar()
            assert held(path) == "held"
            private_database(path)
            second = Store(f"sqlite:///{path}")
            assert held(path) == "held", "or another process would throw away the log that we write"
            second.close()
    finally:
        first.close()
