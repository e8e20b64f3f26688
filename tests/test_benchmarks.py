"""The benchmarks begin: their code is checked by mypy, but what they import at run time is found by themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support import ROOT
from support.waiting import HANG

BENCHMARKS = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))
_ALONE = """
import runpy, sys
for name in sys.argv[1:]:
    before = list(sys.path)
    runpy.run_path(f"{sys.path[0]}/{name}.py", run_name="imported")
    sys.path[:] = before
    for module in [one for one in sys.modules if one.partition(".")[0] == "support"]:
        del sys.modules[module]
"""


def _run(*words: str | Path, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "benchmarks")},
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_benchmark_finds_what_it_imports(tmp_path: Path) -> None:
    ours = "import sys; sys.path[0:1] = [sys.path[1]]\n" + _ALONE  # `-c` puts the current folder first
    _run("-c", ours, *(name for name in BENCHMARKS if name != "live_rivals"), folder=tmp_path)


def test_a_scan_of_a_small_world_is_measured(tmp_path: Path) -> None:
    told = _run(
        ROOT / "benchmarks" / "scan.py",
        "--cards",
        "200",
        "--records",
        "5000",
        "--rounds",
        "1",
        folder=tmp_path,
    )
    assert "rules ran" in told
