"""docs/OPERATIONS.md says of every alarm what it means and what to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from support import ROOT

_RAISE = {"raise_now", "say_now", "failing"}


def _constants(tree: ast.Module) -> dict[str, str]:
    """Names that the module gives to texts."""
    found = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            for name, value in zip(names, values, strict=False):
                if (
                    isinstance(name, ast.Name)
                    and isinstance(value, ast.Constant)
                    and isinstance(value.value, str)
                ):
                    found[name.id] = value.value
    return found


def _sources() -> Iterator[tuple[str, str]]:
    """Where an alarm is raised, and what of its source stands in the code."""
    for file in sorted((ROOT / "src" / "duanka").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        constants = _constants(tree)
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            if node.func.attr not in _RAISE:
                continue
            for part in ast.walk(node.args[0]):
                text = constants.get(part.id) if isinstance(part, ast.Name) else getattr(part, "value", None)
                if isinstance(text, str) and text.strip():
                    yield file.name, text.replace("{}", "").strip()


def test_every_alarm_is_in_the_table() -> None:
    page = (ROOT / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^|]+)` \|", page.partition("## Alarms, and what to do")[2], re.MULTILINE)
    sources = set(_sources())
    assert len(sources) >= 12, "they are found at all"
    assert not {(file, text) for file, text in sources if not any(text in row for row in rows)}
