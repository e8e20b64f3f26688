"""A process of its own that adds the deliveries that a store does not have yet, one commit each.

`store_process.py STORE DELIVERIES`: prints "writing" when it begins and "done" at the end.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from duanka.engine.store.record_store import RecordStore
from support.engine.store_deliveries import NOW, columns_of


def add_rest(store: RecordStore, deliveries: Sequence[Path]) -> None:
    """Add `deliveries` from the one after the last commit on."""
    with store.writing(NOW) as writer:
        for folder in deliveries[writer.manifest.generation :]:
            tables = {table.name: sorted(table.glob("*.parquet")) for table in folder.iterdir()}
            writer.add(tables, columns_of(tables))
            writer.merge_life()
            writer.compact()
            writer.commit()


def main(store: str, deliveries: str) -> None:
    folders = sorted(Path(deliveries).iterdir())
    print("writing", flush=True)  # noqa: T201  # whoever started this waits for it
    add_rest(RecordStore(Path(store)), folders)
    print("done")  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
