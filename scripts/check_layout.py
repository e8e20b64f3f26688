"""Check the layout of src: unique class names, small files, functions and packages. `make lint` runs it.

    python scripts/check_layout.py [src/duanka]

It prints what breaks a rule, and the exit code is 1.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

SRC = Path(__file__).parent.parent / "src" / "duanka"
MOST_LINES = 400  # of a file
MOST_FUNCTION_LINES = 80
MOST_MODULES = 14  # of a package, without __init__
AT_THE_TOP = {"__init__.py", "__main__.py"}
LARGE_PACKAGES = {
    "domain": "one vocabulary, which every other package imports",
    "rules": "one file for each rule",
}
# Class names that two classes bear, each with the reason; ten at most.
DELIBERATE_PAIRS = {
    "Handler": "the request class inside a function that makes it, as http.server has it",
}


def duplicate_class_names(src: Path) -> Iterator[str]:
    """One word has one meaning (docs/GLOSSARY.md): a class name stands for one class."""
    places = defaultdict(list)
    for file, tree in _parsed(src):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{file}:{node.lineno}")
    for name, found in sorted(places.items()):
        if len(found) > 1 and name not in DELIBERATE_PAIRS:
            yield f"class {name} is defined {len(found)} times, rename all but one: {', '.join(found)}"
    for name in sorted(DELIBERATE_PAIRS):
        if len(places[name]) < 2:
            yield f"class {name} is no longer defined twice: remove it from DELIBERATE_PAIRS"


def long_files(src: Path) -> Iterator[str]:
    """A file has one responsibility, and can be read in one sitting."""
    for file in _files(src):
        lines = file.read_bytes().count(b"\n")
        if lines > MOST_LINES:
            yield f"{file} has {lines} lines, at most {MOST_LINES}: split it along a responsibility"


def long_functions(src: Path) -> Iterator[str]:
    """A function whose parts have a name of their own is split into them."""
    for file, tree in _parsed(src):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MOST_FUNCTION_LINES:
                    where = f"{file}:{node.lineno}: {node.name}"
                    yield f"{where} has {lines} lines, at most {MOST_FUNCTION_LINES}: split it"


def large_packages(src: Path) -> Iterator[str]:
    """A newcomer chooses a package, then a responsibility, from a list that they can take in."""
    for stray in sorted({file.name for file in src.glob("*.py")} - AT_THE_TOP):
        yield f"{src / stray} is in no package: move it into one"
    for package in sorted(file.parent for file in src.rglob("__init__.py")):
        modules = len(list(package.glob("*.py"))) - 1
        if modules > MOST_MODULES and str(package.relative_to(src)) not in LARGE_PACKAGES:
            yield f"{package} has {modules} modules, at most {MOST_MODULES}: make sub-packages"


def _files(src: Path) -> list[Path]:
    return sorted(src.rglob("*.py"))


def _parsed(src: Path) -> Iterator[tuple[Path, ast.Module]]:
    for file in _files(src):
        yield file, ast.parse(file.read_text(encoding="utf-8"))


def faults(src: Path) -> list[str]:
    """Everything that breaks a rule of the layout."""
    checks = (duplicate_class_names, long_files, long_functions, large_packages)
    return [fault for check in checks for fault in check(src)]


def main(src: Path = SRC) -> int:
    """Print the faults; return the exit code."""
    found = faults(src)
    sys.stdout.writelines(f"{fault}\n" for fault in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
