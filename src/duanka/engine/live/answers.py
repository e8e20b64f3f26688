"""What the live state answers: hits as they stand, how they changed, and what was set aside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from duanka.domain.live import Change, HitChange
from duanka.domain.ports import CardHits
from duanka.domain.rule import Hit
from duanka.engine.live.shelf import Run
from duanka.engine.live.state import quoted


class Answers:
    """Reads the state."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def changes(self, after: int, most: int = 1_000_000) -> Iterator[HitChange]:
        """The changes of hits behind number `after`, in order, at most so many."""
        rows = self._run(
            "SELECT seq, kind, card, rule, seen_at, evidence FROM state.changes"
            f" WHERE seq > {after} ORDER BY seq LIMIT {most}"
        )
        for seq, kind, card, rule, seen_at, evidence in rows:
            yield HitChange(seq, Change(kind), Hit(card, rule, seen_at, json.loads(evidence)))

    def cards_with_hits(self, changed: tuple[int, int] | None = None) -> Iterator[CardHits]:
        """Each card with a hit or a police case, cards in order.

        With `changed`, the cards whose hits changed behind the first number and up to the second, also those that
        have none left.
        """
        which, more = "TRUE", ""
        if changed:
            some = f"state.changes WHERE seq > {changed[0]} AND seq <= {changed[1]}"
            which = f"card IN (SELECT card FROM {some})"
            more = f"UNION ALL SELECT DISTINCT card, NULL, NULL, NULL, NULL, NULL FROM {some}"
        rows = self._run(
            f"""
            SELECT card, rule, min(seen_at), arg_min(evidence, (seen_at, evidence)), count(*), NULL AS case_id
            FROM state.hits WHERE {which} GROUP BY card, rule
            UNION ALL
            SELECT DISTINCT card, NULL, NULL, NULL, NULL, case_id FROM state.cases WHERE {which}
            {more} ORDER BY 1, 2 NULLS LAST, 6"""
        )
        for card, group in groupby(rows, key=itemgetter(0)):
            of_card = list(group)
            hits = tuple(Hit(card, r[1], r[2], json.loads(r[3]), r[4]) for r in of_card if r[1] is not None)
            yield CardHits(card, hits, tuple(r[5] for r in of_card if r[5] is not None))

    def write_hits(self, path: Path) -> None:
        """Write hits.parquet as a scan does: card, rule, seen_at, evidence (JSON), sorted."""
        self._write("SELECT * FROM state.hits ORDER BY card, rule, seen_at, evidence", path)

    def write_quarantine(self, path: Path) -> None:
        """Write quarantine.parquet: what was set aside, from the start of the state."""
        self._write("SELECT * FROM state.quarantine", path)

    def _write(self, select: str, path: Path) -> None:
        unfinished = path.with_suffix(".unfinished")
        self._run(f"COPY ({select}) TO '{quoted(str(unfinished))}' (FORMAT parquet, COMPRESSION zstd)")
        unfinished.replace(path)
