"""What SQL was compiled to, kept between the runs over a store: compiling all rules takes a third of a second."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from duanka.domain.private_files import put_in_place

Known = dict[str, str | list[str]]
_COMPILER = ("syntax.py", "spark_dialect.py")


class CompiledSql:
    """What was derived from statements, by what it was derived from."""

    def __init__(self) -> None:
        self._known: Known = {}  # of earlier runs
        self._asked: Known = {}  # of this one

    def text(self, asked: Sequence[object], compiled: Callable[[], str]) -> str:
        """The text for what is `asked`, which `compiled` makes if it is not known."""
        found = self._found(asked, compiled)
        return found if isinstance(found, str) else compiled()

    def names(self, asked: Sequence[object], compiled: Callable[[], Sequence[str]]) -> Sequence[str]:
        """The names for what is `asked`, which `compiled` makes if they are not known."""
        found = self._found(asked, lambda: list(compiled()))
        return found if isinstance(found, list) else compiled()

    def _found(self, asked: Sequence[object], compiled: Callable[[], str | list[str]]) -> str | list[str]:
        key = hashlib.sha256(repr(asked).encode()).hexdigest()
        if key not in self._asked:
            self._asked[key] = self._known[key] if key in self._known else compiled()
        return self._asked[key]

    def read(self, path: Path) -> None:
        """Know what `path` holds; nothing if it is missing, damaged, or of another version of the compiler."""
        try:
            told = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            return
        if isinstance(told, dict) and told.get("compiler") == _compiler():
            self._known = told["compiled"]

    def write(self, path: Path) -> None:
        """Keep what this run asked for, and nothing else. OSError: no room."""
        if self._asked.keys() == self._known.keys():
            return
        with put_in_place(path) as file:
            file.write_text(json.dumps({"compiler": _compiler(), "compiled": self._asked}), "utf-8")


def _compiler() -> str:
    """Fingerprint of the code that compiles."""
    code = [Path(__file__).with_name(name).read_bytes() for name in _COMPILER]
    return hashlib.sha256(b"".join(code)).hexdigest()[:16] + f" with sqlglot {version('sqlglot')}"


COMPILED = CompiledSql()
"""Of this process."""
