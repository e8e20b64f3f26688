"""Completion as bash does it: the script that `--install-completion` puts in place, and what a TAB then offers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from duanka.bootstrap.policies import rule_ids
from duanka.cli.shell.completion import reasons_like, rules_like
from support.waiting import HANG

_TAB = """
. "$HOME/.bash_completions/duanka.sh"
while read -r line; do
  COMP_WORDS=($line); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
  [ "${COMP_WORDS[$COMP_CWORD]}" = "_" ] && COMP_WORDS[$COMP_CWORD]=""
  _duanka_completion duanka
  echo "${COMPREPLY[*]}"
done
"""
_TYPED = {
    "duanka ord": {"orders"},
    "duanka orders with": {"withdraw"},
    "duanka orders take --ti": {"--tier"},
    "duanka orders take --tier _": {
        "低",
        "中",
        "高",
        "极高",
    },  # the language of the desk: no locale says another
    "duanka orders take --tier hi": {"high"},
    "duanka --language en orders list --tier _": {"low", "medium", "high", "extreme"},
    "duanka orders withdraw --rule fan": {"fan_out"},
    "duanka scan --policy _": {"national", "hebei"},
    "duanka persons add --role sup": {"supervisor"},
    "duanka persons add --role 监": {"监管"},
}


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment in which `duanka` is a command of its own."""
    command = tmp_path / "bin" / "duanka"
    command.parent.mkdir()
    command.write_text(
        f"#!{sys.executable}\nfrom duanka.cli.main import main\nmain()\n"
    )  # as an installation has it
    command.chmod(0o755)
    return {"HOME": str(tmp_path), "PATH": f"{command.parent}:/usr/bin:/bin", "PYTHONUTF8": "1"}


def _run(*words: str, env: dict[str, str], typed: str = "") -> str:
    ran = subprocess.run(
        words, input=typed, env=env, capture_output=True, text=True, timeout=HANG, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_bash_completes_commands_options_values_and_names(home: dict[str, str]) -> None:
    _run(
        "/bin/bash", "-c", "duanka --install-completion; exit $?", env=home
    )  # it looks for the shell it runs in
    offered = _run("/bin/bash", "-c", _TAB, env=home, typed="\n".join(_TYPED) + "\n").splitlines()
    assert dict(zip(_TYPED, (set(line.split()) for line in offered), strict=True)) == _TYPED


def test_rules_are_completed_by_their_files_and_those_are_all_rules() -> None:
    assert set(rules_like("")) == set(rule_ids())
    assert "police_confirmed" in reasons_like("police")
