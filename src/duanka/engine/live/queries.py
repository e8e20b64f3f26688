"""Queries of the live state: current hits, their changes, rejected records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from duanka.domain.ports import CardHits
from duanka.domain.rule import Hit
from duanka.domain.streaming import Change, HitChange
from duanka.engine.live.state.state_file import Run
from duanka.engine.shared.duckdb_database import write_parquet
from duanka.engine.shared.hit_table import by_card, cards_with_hits, sorted_hits


class StateQueries:
    """Reads the state."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def changes(self, after: int, most: int = 1_000_000) -> Iterator[HitChange]:
        """Changes of hits after sequence number `after`, in order, at most `most`."""
        rows = self._run(
            "SELECT seq, kind, number_text(card), rule, seen_at, evidence FROM state.changes"
            f" WHERE seq > {after} ORDER BY seq LIMIT {most}"
        )
        for seq, kind, card, rule, seen_at, evidence in rows:
            yield HitChange(seq, Change(kind), Hit(card, rule, seen_at, json.loads(evidence)))

    def cards_with_hits(self, changed: tuple[int, int] | None = None) -> Iterator[CardHits]:
        """Each card with a hit or a police case, ordered by card.

        With `changed` = (after, up to), only the cards with a change in this range of sequence numbers, including
        those that have no hit left.
        """
        which, more = "TRUE", ""
        if changed:
            more = f"SELECT card FROM state.changes WHERE seq > {changed[0]} AND seq <= {changed[1]}"
            which = f"card IN ({more})"
        return by_card(self._run(cards_with_hits("state.hits", "state.cases", "state.cards", which, more)))

    def write_hits(self, path: Path) -> None:
        """Write hits.parquet as a scan does: card, rule, seen_at, evidence (JSON), sorted."""
        write_parquet(self._run, sorted_hits("state.hits"), path)

    def write_quarantine(self, path: Path) -> None:
        """Write quarantine.parquet: all records rejected since the state was created."""
        write_parquet(self._run, "SELECT * FROM state.quarantine", path)
