"""Begins a live state on a store that scans have written: what they took in is what live has read.

Records up to the last one in the store are late from now on: which of them it holds is not known one by one. The first
evaluation covers all cards.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from duanka.domain.delivery import FileIdentity
from duanka.domain.streaming import finished
from duanka.engine.live.state.state_file import REGISTERS, LiveState
from duanka.engine.live.state.store_files import StoreFiles
from duanka.engine.shared.coverage import Day, by_day, without_strays
from duanka.engine.store.columns import whole_register
from duanka.engine.store.manifest import FileKind

_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)


def take_over(state: LiveState, files: StoreFiles, origin_of: Callable[[FileIdentity], str] | None) -> None:
    """Fill a new `state` from the store. `origin_of`: under which name intake knows a file."""
    manifest, progress = files.manifest, state.progress
    if not any(manifest.days.values()):
        return
    _read_registers(state, files)
    for table, days in manifest.days.items():
        counting = without_strays([Day(day, *days[day]) for day in sorted(days)]) if days else []
        if not counting:
            continue
        progress.firsts[table] = datetime.combine(counting[0].day, datetime.min.time())
        progress.lasts[table] = counting[-1].last
        progress.days = (progress.days or {}) | {table: dict(days)}
        progress.forgotten[table] = counting[-1].last + (_DAY if by_day(table) else _TICK)
    progress.filled = {table: set(columns) for table, columns in manifest.filled.items()}
    progress.history = False
    if origin_of:
        known = (FileIdentity(f.name, f.size, f.digest, f.stamp) for f in manifest.delivered if f.stamp)
        state.keep_positions({origin_of(file): finished(0) for file in known})


def _read_registers(state: LiveState, files: StoreFiles) -> None:
    for register in REGISTERS:
        if source := files.whole(FileKind.REGISTERS, register):
            state.run(f"INSERT INTO state.{register} FROM {whole_register(register, source)}")
    if source := files.whole(FileKind.TEXTS):
        state.run(f"INSERT INTO state.texts SELECT key, text FROM {source}")
