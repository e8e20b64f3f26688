"""What SQL was compiled to, kept between the runs over a store: compiling all rules takes a third of a second."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from duanka.domain.private_files import put_in_place

Known = dict[str, str | list[str]]
_Kind = TypeVar("_Kind", str, list[str])
_COMPILER = ("syntax.py", "spark_dialect.py")


class CompiledSql:
    """What was derived from statements, by what it was derived from."""

    def __init__(self) -> None:
        self._known: Known = {}  # of earlier runs
        self._asked: Known = {}  # of this one

    def text(self, asked: Sequence[object], compiled: Callable[[], str]) -> str:
        """The text for what is `asked`, which `compiled` makes if it is not known."""
        return self._found(asked, str, compiled)

    def names(self, asked: Sequence[object], compiled: Callable[[], list[str]]) -> list[str]:
        """The names for what is `asked`, which `compiled` makes if they are not known."""
        return self._found(asked, list, compiled)

    def _found(self, asked: Sequence[object], kind: type[_Kind], compiled: Callable[[], _Kind]) -> _Kind:
        key = hashlib.sha256(repr(asked).encode()).hexdigest()
        found = self._asked.get(key, self._known.get(key))
        if not isinstance(found, kind):
            found = compiled()
        self._asked[key] = found
        return found

    def read(self, path: Path) -> None:
        """Know what `path` holds; nothing if it is missing, damaged, or of another version of the compiler."""
        try:
            told = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            return
        compiled = told.get("compiled") if isinstance(told, dict) else None
        if isinstance(compiled, dict) and told.get("compiler") == _compiler():
            self._known = compiled

    def write(self, path: Path) -> None:
        """Keep what this run asked for, and nothing else. OSError: no room."""
        if self._asked == self._known:
            return
        with put_in_place(path) as file:
            file.write_text(json.dumps({"compiler": _compiler(), "compiled": self._asked}), "utf-8")


def _compiler() -> str:
    """Fingerprint of the code that compiles."""
    code = [Path(__file__).with_name(name).read_bytes() for name in _COMPILER]
    return hashlib.sha256(b"".join(code)).hexdigest()[:16] + f" with sqlglot {version('sqlglot')}"


COMPILED = CompiledSql()
"""Of this process."""
