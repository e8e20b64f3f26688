"""The components of the live engine, put together on the current checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from duanka.domain.rollups import Rollup
from duanka.domain.streaming import Lateness
from duanka.engine.live.batch_filter import BatchFilter
from duanka.engine.live.evaluator import RuleEvaluator
from duanka.engine.live.state.checkpoint import ShelfProgress
from duanka.engine.live.state.compiled_rule import CompiledRule
from duanka.engine.live.state.recent_records import RecentRecords
from duanka.engine.live.state.record_shelf import RecordShelf
from duanka.engine.live.state.rollup_shelf import RollupShelf
from duanka.engine.live.state.state_file import RECORDS, LiveState
from duanka.engine.live.state.store_files import StoreFiles
from duanka.engine.live.state.watermarks import Watermarks
from duanka.engine.live.triggers import Triggers


class Assembly(NamedTuple):
    """What works on one checkpoint; after a rollback, all of it is made anew."""

    shelves: dict[str, RollupShelf]
    recent: RecentRecords
    marks: Watermarks
    sorting: BatchFilter
    judge: RuleEvaluator
    triggers: Triggers


def assembled(
    state: LiveState,
    files: StoreFiles,
    rules: Sequence[CompiledRule],
    rollups: Sequence[Rollup],
    lateness: Lateness,
    shadows: frozenset[str],
) -> Assembly:
    """Create the components; the tables of new rollups, too."""
    progress = state.progress
    shelves = {}
    for rollup in rollups:
        known = rollup.name in progress.shelves
        of_shelf = progress.shelves.setdefault(rollup.name, ShelfProgress())
        shelves[rollup.name] = RollupShelf(rollup, of_shelf, state, files)
        if not known:
            shelves[rollup.name].create()
    recent = RecentRecords(state, rollups, shelves)
    marks = Watermarks(progress, lateness, rules)
    records = {table: RecordShelf(table, files) for table in RECORDS}
    judge = RuleEvaluator(state, shelves, records, shadows)
    return Assembly(
        shelves,
        recent,
        marks,
        BatchFilter(state, lateness, marks, recent),
        judge,
        Triggers(state, judge, shelves, marks),
    )
