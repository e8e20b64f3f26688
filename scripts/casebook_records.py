"""Write the records of the casebook's cases, or with --check say whether they are as written.

Usage: python scripts/casebook_records.py --write | --check
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.casebook.diary import RECORDS, put, written
from support.casebook.stories import STORIES


def main() -> int:
    """Compare, or write, tests/support/casebook/records."""
    stale = 0
    for story in STORIES.values():
        files, folder = written(story.diaries()), RECORDS / story.name
        lies = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.csv")}
        if lies == files:
            continue
        stale += 1
        if "--check" in sys.argv:
            sys.stderr.write(f"{folder.relative_to(RECORDS.parents[3])} is not what stories.py tells\n")
            continue
        for name in lies.keys() - files.keys():
            (folder / name).unlink()
        put(files, folder)
    if stale and "--check" in sys.argv:
        sys.stderr.write("next: python scripts/casebook_records.py --write\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
