"""Puts the results of the last whole test run into what is shipped, where they are of the code as it is now.

Run by `make evidence`. With --check it only says by its exit code (0, 3) whether such results are there.
"""

from __future__ import annotations

import sys
from pathlib import Path

from duanka.specification.evidence import EVIDENCE, RESULTS, age, results
from support import ROOT

_NOT_THERE = 3


def ship(root: Path, out: Path, *, check: bool) -> int:
    """Copy the results under `root` to `out`; returns the exit code."""
    found = results(root / RESULTS)
    if found is None:
        sys.stderr.write(f"No whole test run here ({RESULTS}).\n")
        return _NOT_THERE
    changed = age(found, root, root / "src" / "duanka").changed
    if changed:
        names = ", ".join(changed[:3]) + (", …" if len(changed) > 3 else "")
        sys.stderr.write(f"The last test run was of other code: {len(changed)} files differ ({names}).\n")
        return _NOT_THERE
    if not check:
        out.write_bytes((root / RESULTS).read_bytes())
        sys.stdout.write(
            f"{out.name}: {found.tests} tests of {found.date} show {len(found.shown)} requirements, code {found.key}\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(ship(ROOT, EVIDENCE, check="--check" in sys.argv[1:]))
