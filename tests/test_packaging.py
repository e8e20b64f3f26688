"""What stands in packaging/: units that systemd reads, commands and metrics that exist; every metric is documented."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from duanka.cli.main import cli
from duanka.cli.shell.lazy import DeferredGroup
from support import ROOT

UNITS = sorted((ROOT / "packaging" / "systemd").glob("duanka*.*[rt]*"))
SERVICES = [one for one in UNITS if one.suffix == ".service"]
COMMAND = "/opt/duanka/.venv/bin/duanka"
_FROM_PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
_HISTOGRAM = re.compile(r"_(bucket|sum|count)$")


def _metrics_of_the_code() -> set[str]:
    files = [*(ROOT / "src/duanka/observability").glob("*.py"), ROOT / "src/duanka/bootstrap/health.py"]
    return {name for file in files for name in re.findall(r'"(duanka_[a-z_]+)"', file.read_text())}


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_systemd_reads_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace(COMMAND, sys.executable)
        (tmp_path / unit.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_that_there_is(unit: Path) -> None:
    start = next(
        line for line in unit.read_text(encoding="utf-8").splitlines() if line.startswith("ExecStart=")
    )
    words = shlex.split(start.partition(COMMAND)[2].replace("'", ""))
    group = typer.main.get_command(cli)
    assert isinstance(group, DeferredGroup)
    group.load_all()
    command: Any = group
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            known = {name for one in command.params for name in one.opts}
            assert word in known, f"{unit.name}: {command.name} has no {word}"
            words = words[1:]
        elif commands := getattr(command, "commands", None):
            assert word in commands, f"{unit.name}: there is no {word}"
            command = commands[word]
    assert not hasattr(command, "commands")


def test_what_units_take_from_the_environment_is_in_the_example() -> None:
    example = (ROOT / "packaging" / "systemd" / "duanka.env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
    taken = {
        name
        for unit in SERVICES
        for line in unit.read_text(encoding="utf-8").splitlines()
        if line.startswith("ExecStart=")
        for name in re.findall(r"(?<!\$)\$\{?([A-Z_]+)", line)
    }
    assert taken == named


def test_the_dashboard_shows_every_metric_and_no_other() -> None:
    board = json.loads((ROOT / "packaging" / "grafana" / "duanka.json").read_text(encoding="utf-8"))
    asked = " ".join(target["expr"] for panel in board["panels"] for target in panel.get("targets", ()))
    shown = {_HISTOGRAM.sub("", name) for name in re.findall(r"\b(?:duanka|process)_[a-z_]+", asked)}
    assert shown == _metrics_of_the_code() | _FROM_PROCESS
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_every_metric_is_in_the_documentation() -> None:
    pages = "".join(
        (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("OPERATIONS.md", "OUTPUT.md")
    )
    assert not {name for name in _metrics_of_the_code() if f"`{name}`" not in pages}
