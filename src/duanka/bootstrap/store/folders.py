"""Which folders a scan may write to."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from duanka.domain.display import display_name
from duanka.domain.errors import DuankaError
from duanka.engine.store.manifest import MANIFEST


def is_text(folder: Path) -> bool:
    """Whether the path is valid UTF-8, as the engine requires for files it opens."""
    try:
        str(folder.absolute()).encode()
    except UnicodeEncodeError:
        return False
    return True


def must_be_text(folder: Path, option: str) -> None:
    """DuankaError where the engine cannot open files in `folder`, which `option` named."""
    if not is_text(folder):
        shown = display_name(str(folder.absolute()))
        raise DuankaError(
            f"{option} {shown}: the path is no UTF-8, which the engine needs; choose another folder"
        )


def may_store(store: Path, as_of: datetime | None, data: Path) -> None:
    """DuankaError where a scan into a store cannot do what is asked; nothing is made."""
    must_be_text(store, "--store")
    if as_of is not None:
        raise DuankaError("--as-of is for a scan without --store: a store is judged as of its last record")
    must_lie_elsewhere(store, data)
    from duanka.engine.store.record_store import may_begin  # noqa: PLC0415  # DuckDB takes 0.2 s

    may_begin(store)


def must_lie_elsewhere(store: Path, data: Path) -> None:
    """DuankaError for a store within the records: its files would be read as deliveries."""
    if data.is_dir() and store.resolve().is_relative_to(data.resolve()):
        raise DuankaError(
            f"--store {store} lies among the records of {display_name(str(data))}; choose a folder elsewhere"
        )


def must_lie_outside(out: Path, option: str, store: Path | None = None) -> None:
    """DuankaError for an output within `store`, or within any other: a store deletes the files that it does not list.

    `option`: what named `out`, a file or a folder. A store within `out` is none of its business.
    """
    real, own = out.resolve(), store.resolve() if store else None
    for folder in (real, *real.parents):
        if folder == own or os.path.isfile(folder / MANIFEST):
            raise DuankaError(f"{option} {out} lies inside the store {folder}; choose another folder")
