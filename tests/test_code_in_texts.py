"""Programs that tests run as `python -c TEXT`: type checks do not see them, so a rename must not pass them by."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator

from support import ROOT

_FOLDERS = ("tests", "benchmarks", "scripts")
_OLDER = ROOT / "scripts" / "build_old_database.py"  # its texts run with the code of earlier versions
_IMPORT = re.compile(r"^\s*from ((?:duanka|support)[\w.]*) import ([\w, ]+)", re.MULTILINE)


def _texts() -> Iterator[tuple[str, str]]:
    """Where a string constant stands, and the string, of all that import from the product."""
    for folder in _FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path == _OLDER:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and "import " in node.value:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def _imports(text: str) -> Iterator[tuple[str, str]]:
    """Module and name of each import from the product in `text`, which may be a piece of a program."""
    for module, names in _IMPORT.findall(text):
        yield from ((module, name) for name in re.findall(r"(\w+)(?: as \w+)?", names))


def _exists(module: str, name: str) -> bool:
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError:
        return False
    if hasattr(found, name):
        return True
    try:
        importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return False
    return True


def test_what_programs_in_texts_import_exists() -> None:
    asked = [(where, *one) for where, text in _texts() for one in _imports(text)]
    assert len(asked) > 20
    gone = [f"{where}: {module}.{name}" for where, module, name in asked if not _exists(module, name)]
    assert not gone
