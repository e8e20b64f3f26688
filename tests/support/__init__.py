"""What the tests share: real parts, invented data, waiting; a sub-package for each room."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # of the project
OWN_PROCESS = {
    **os.environ,
    "PYTHONPATH": str(ROOT / "tests"),
}  # environment of a process that imports this package
