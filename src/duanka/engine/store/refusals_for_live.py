"""Refusals for a store that duanka live keeps: files in its folder `live/`, which it adds with its next records.

They are handed over whole and once they are on the disk; live deletes them when the store has them. What is added twice
after a kill is there once, since a refusal is known by its element and key.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from duanka.domain.network import Refusal
from duanka.domain.private_files import private_folder, put_in_place
from duanka.engine.store.manifest import sync
from duanka.engine.store.record_store import LIVE

_log = logging.getLogger(__name__)
_REFUSALS = TypeAdapter(list[Refusal])


def hand_over(store: Path, rows: Sequence[Refusal]) -> None:
    """Leave `rows` for the live run that keeps `store`. OSError: no room."""
    folder = _folder(store)
    private_folder(folder)
    with put_in_place(folder / f"{time.time_ns()}.json") as aside:
        aside.write_bytes(_REFUSALS.dump_json(list(rows)))
        sync(aside)
    sync(folder)


def handed_over(store: Path) -> Iterator[tuple[Path, Sequence[Refusal]]]:
    """The files that wait, the oldest first, and what is in them."""
    for path in sorted(_folder(store).glob("*.json")):
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # the store has them meanwhile
            continue
        try:
            rows = _REFUSALS.validate_json(content)
        except ValidationError:  # nobody's but ours are there, and whole: the disk spoilt it
            _log.warning("%s cannot be read and is left aside as %s.spoilt", path, path.name)
            path.rename(path.with_name(f"{path.name}.spoilt"))
            continue
        yield path, rows


def _folder(store: Path) -> Path:
    return store / LIVE / "refusals"
