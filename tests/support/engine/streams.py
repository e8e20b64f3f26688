"""Plays a world into the live engine as it could arrive: out of order, in batches, with restarts and crashes."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from duanka.domain.police_reasons import CONFIRMED
from duanka.domain.rule import Rule
from duanka.domain.schema import TABLES
from duanka.domain.streaming import Batch, BatchPart, BatchResult, Change, HitChange, Lateness
from duanka.engine.live import Live
from duanka.engine.live.engine import PACK_ROWS
from duanka.ingest.storage.key_columns import BatchTexts, with_keys
from duanka.rules import RULES
from support.engine.worlds import LIMITS, Hits, Limits, World, canonical

NOW = datetime(2021, 6, 20)
PATIENT = Lateness(silent=timedelta(days=400))
_ALLOWED = timedelta(hours=2)
HitKey = tuple[str, str, datetime, str]


@dataclass(frozen=True)
class Arrival:
    """One record, or row of a register (`before`: what it said earlier), and when it comes from where."""

    at: datetime
    table: str
    row: int
    source: str
    before: bool = False


@dataclass(frozen=True)
class Cut:
    """How a world is played. Shares: of the batches that are settled, and of those behind which a restart comes.

    `crash`: of the restarts that lose what is not settled; `history`: batches that were there at the start;
    `sources`: of each table; `registers_first`: or else they come at any time.
    """

    seed: int
    most: int = 30
    settle: float = 1.0
    restart: float = 0.0
    crash: float = 0.0
    pack_rows: int = PACK_ROWS
    history: int = 0
    sources: int = 1
    registers_first: bool = False


def arrivals(
    world: World, chance: random.Random, sources: int = 1, *, registers_first: bool = False
) -> list[Arrival]:
    """An order in which everything may come: records within what each source is allowed, registers at any time."""
    coming = []
    offsets: dict[str, timedelta] = {}
    for table, frame in world.frames.items():
        moment = TABLES[table].time
        if not TABLES[table].record or moment is None:
            continue
        for row, event in enumerate(frame[moment].cast(pl.Datetime("us")).to_list()):
            source = f"{chance.randrange(sources)}/{table}" if sources > 1 else table
            slow = timedelta(days=1) if table == "data_days" else timedelta(0)
            offset = offsets.setdefault(source, slow + chance.choice([0, 0, 1, 9]) * timedelta(hours=1))
            coming.append(Arrival(event + offset + chance.random() * _ALLOWED, table, row, source))
    first, last = min(a.at for a in coming), max(a.at for a in coming)
    for table in world.frames:
        if not TABLES[table].record:
            coming += _described(world, table, chance, (first, first if registers_first else last))
    return sorted(coming, key=lambda a: a.at)


def _described(
    world: World, table: str, chance: random.Random, between: tuple[datetime, datetime]
) -> list[Arrival]:
    frame = world.frames[table]
    first, last = between
    before = world.before.get(table)
    known = {} if before is None else {card: row for row, card in enumerate(before["card"])}
    all_at = chance.choice([first, last, None, None])
    coming = []
    for row in range(frame.height):
        at = all_at or first + chance.random() * (last - first)
        old = known.get(frame["card"][row]) if known else None
        if old is not None:
            earlier = first + chance.random() * (at - first) - timedelta(seconds=1)
            coming.append(Arrival(earlier, table, old, table, before=True))
        coming.append(Arrival(at, table, row, table))
    return coming


def batch_of(world: World, coming: Sequence[Arrival], number: int = 0) -> Batch:
    """These arrivals as one micro-batch; its position is `number`."""
    pieces: dict[tuple[str, str, bool], list[int]] = defaultdict(list)
    for one in coming:
        pieces[one.table, one.source, one.before].append(one.row)
    made, texts = [], BatchTexts()
    for (table, source, before), rows in sorted(
        pieces.items(), key=lambda p: (p[0][0], p[0][1], not p[0][2])
    ):
        frame = (world.before if before else world.frames)[table]
        made.append(piece(table, frame[rows], rows, source, texts))
    return Batch(tuple(made), positions={"played": number}, records=len(coming), texts=texts.pairs())


def piece(
    table: str,
    frame: pl.DataFrame,
    lines: Sequence[int] | None = None,
    source: str = "",
    texts: BatchTexts | None = None,
) -> BatchPart:
    """Rows of a table as intake hands them on; the origin is called like the table."""
    places = pl.Series("line", range(frame.height) if lines is None else lines, dtype=pl.Int64)
    rows = with_keys(table, frame, texts).with_columns(places, same=frame.hash_rows())
    return BatchPart(table, source or table, table, rows)


def calls_batch(rows: Sequence[dict[str, Any]], number: int) -> Batch:
    """Calls as a micro-batch at position `number`."""
    frame = canonical("calls", rows)
    return Batch((piece("calls", frame),), positions={"x": number}, records=frame.height)


def opened(folder: Path, world: World, **options: Any) -> Live:
    """The live engine on a state; keywords as those of Live, and `rules` and `limits`."""
    rules: Sequence[Rule] = options.pop("rules", RULES)
    limits: Limits = options.pop("limits", LIMITS)
    options = {"history": False, "threads": 1, "lateness": PATIENT, **options}
    return Live(folder, rules, limits, world.lists, **options)


def cut_up(coming: Sequence[Arrival], chance: random.Random, most: int) -> list[list[Arrival]]:
    """Batches of one to `most` arrivals."""
    batches, begin = [], 0
    while begin < len(coming):
        size = chance.randint(1, most)
        batches.append(list(coming[begin : begin + size]))
        begin += size
    return batches


class Played:
    """A world as it was played: the hits that stand, the changes, what each batch came to."""

    def __init__(self, world: World, folder: Path, cut: Cut, **options: Any) -> None:
        self.world = world
        self.folder = folder
        self.cut = cut
        self.options = {"pack_rows": cut.pack_rows, "history": cut.history > 0, **options}
        self.taken: list[BatchResult] = []
        self.turns: list[list[HitChange]] = []
        chance = random.Random(cut.seed)
        coming = arrivals(world, chance, cut.sources, registers_first=cut.registers_first)
        self.sources = {a.source: a.table for a in coming if TABLES[a.table].record}
        self.batches = cut_up(coming, chance, cut.most)
        self._chance = chance
        self._live = self._open()
        self._play()

    def _open(self) -> Live:
        live = opened(self.folder, self.world, **self.options)
        live.expect(self.sources, NOW)
        return live

    def _play(self) -> None:
        number = 0
        while number < len(self.batches):
            batch = batch_of(self.world, self.batches[number], number + 1)
            if number == self.cut.history:
                self._live.end_history()
            settle = self._chance.random() < self.cut.settle
            taken = self._live.take(batch, NOW, settle=settle)
            assert (taken.records, taken.late, taken.ahead) == (batch.records, 0, 0), taken
            self.taken.append(taken)
            self._note()
            number += 1
            if self._chance.random() < self.cut.restart:
                if not settle and self._chance.random() >= self.cut.crash:
                    self._live.take(Batch(), NOW)  # an orderly end settles
                self._live.close()
                self._live = self._open()
                number = self._live.positions().get("played", 0)
        self.taken.append(self._live.finish(NOW))
        self._note()

    def _note(self) -> None:
        """Keep what this turn changed."""
        after = self.turns[-1][-1].seq if self.turns else 0
        if self._live.seq > after:
            self.turns.append(list(self._live.answers.changes(after)))

    @property
    def live(self) -> Live:
        """The engine as it stands."""
        return self._live

    def hits(self) -> Hits:
        """The hits that stand."""
        return hits_of(self._live, self.folder)

    def changes(self) -> list[HitChange]:
        """The change log from its start."""
        return list(self._live.answers.changes(0))


def hits_of(live: Live, folder: Path) -> Hits:
    """The hits that stand."""
    live.answers.write_hits(folder / "hits.parquet")
    return pl.read_parquet(folder / "hits.parquet").rows()


def quarantined(live: Live, folder: Path) -> list[tuple[str, int, str, str]]:
    """File, line, column and reason of what was set aside."""
    live.answers.write_quarantine(folder / "quarantine.parquet")
    rows = pl.read_parquet(folder / "quarantine.parquet").select("file", "line", "column", "reason").rows()
    return sorted(rows, key=str)


def standing(changes: Sequence[HitChange]) -> Counter[HitKey]:
    """The sum over a change log: the hits that must stand behind it, with what they say in any order.

    Police cases are changes, too, and no hits.
    """
    there: dict[tuple[str, str, datetime], str] = {}
    for number, change in enumerate(changes, 1):
        assert change.seq == number
        if change.hit.rule == CONFIRMED:
            continue
        hit = change.hit
        key = (hit.card, hit.rule, hit.seen_at)
        if change.kind is Change.REVOKED:
            there.pop(key)
        else:
            assert (key in there) == (change.kind is Change.REVISED), change
            there[key] = json.dumps(hit.evidence, sort_keys=True)
    return Counter((*key, evidence) for key, evidence in there.items())


def plain(hits: Hits) -> Counter[HitKey]:
    """Hits as `standing` gives them."""
    said = (json.dumps(json.loads(evidence), sort_keys=True) for *_, evidence in hits)
    return Counter((*hit[:3], evidence) for hit, evidence in zip(hits, said, strict=True))


def differences(found: Hits, wanted: Hits) -> Mapping[str, list[HitKey]]:
    """What two sets of hits do not share, as multisets; empty when they are the same."""
    one, other = Counter(found), Counter(wanted)
    parts = {"too many": sorted((one - other).elements()), "missing": sorted((other - one).elements())}
    return {name: rows for name, rows in parts.items() if rows}
