"""The command line as operators have it: without pandas, which only the tests of Spark install.

Arrow imports pandas wherever it finds it, which costs a command half a second of CPU and 50 MB.

    python benchmarks/as_installed.py scan DATA …
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_ONLY_TESTS = frozenset({"pandas"})


class _NotInstalled:
    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if name in _ONLY_TESTS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def hide_test_packages() -> None:
    """Let imports in this process find only what `make setup` installs."""
    sys.meta_path.insert(0, _NotInstalled)


if __name__ == "__main__":
    hide_test_packages()
    from duanka.cli.main import main

    main()
