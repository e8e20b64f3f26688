"""Exit codes: the code raises those of one table, and the pages tell the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from duanka.cli.shell.process import ExitCode
from support import ROOT

ENDINGS = {"typer.Exit", "sys.exit", "SystemExit"}
PROCESSES = {"process.py"}  # a program of its own, whose supervisor reads 0 or not


def _raised() -> Iterator[tuple[str, str]]:
    """Where a command ends, and with what, as it is written."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in ENDINGS
                and path.name not in PROCESSES
            ):
                yield f"{path.name}:{node.lineno}", ", ".join(map(ast.unparse, node.args))


def test_commands_end_only_with_codes_of_the_table() -> None:
    found = dict(_raised())
    assert {f"ExitCode.{code.name}" for code in ExitCode} >= set(found.values()), found
    for code in (ExitCode.WRONG_USE, ExitCode.SET_ASIDE, ExitCode.LOOK):
        assert f"ExitCode.{code.name}" in found.values(), "nothing ends so any more"


def test_the_page_explains_every_code() -> None:
    page = (ROOT / "docs" / "OUTPUT.md").read_text(encoding="utf-8").partition("## Exit codes")[2]
    told = [int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)]
    assert told == list(ExitCode)


@pytest.mark.parametrize(("name", "words"), [("README.md", "Exit codes:"), ("README.zh.md", "退出码：")])
def test_the_front_page_names_those_that_a_script_needs(name: str, words: str) -> None:
    sentence = (ROOT / name).read_text(encoding="utf-8").partition(words)[2].partition("docs/")[0]
    needed = {code for code in ExitCode if code is not ExitCode.DEFECT}
    assert {int(number) for number in re.findall(r"(?<!\d)\d+(?!\d)", sentence)} == needed, sentence
