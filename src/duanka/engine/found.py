"""The hits of one scan, in the table `hits` of a local DuckDB, whichever engine found them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import duckdb

from duanka.domain.errors import RuleError
from duanka.domain.ports import CardHits
from duanka.domain.rule import Action, Hit, Rule
from duanka.engine.database import Rows, plainly, quoted, run
from duanka.engine.translate import output_columns

_ROWS_AT_ONCE = 20_000
_CARDS_WITH_HITS = """
    SELECT card, rule, min(seen_at), arg_min(evidence, (seen_at, evidence)), count(*), NULL AS case_id
    FROM hits GROUP BY card, rule
    UNION ALL
    SELECT DISTINCT card, NULL, NULL, NULL, NULL, case_id FROM cases
    ORDER BY 1, 2 NULLS LAST, 6"""


class Found:
    """The hits in `db`, which also has a table or view `cases` (card, case_id) when it is asked for cards."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self._db = db

    def begin(self) -> None:
        """Start with no hit."""
        self._run(
            "CREATE OR REPLACE TABLE hits (card VARCHAR, rule VARCHAR, seen_at TIMESTAMP, evidence VARCHAR)"
        )

    def taking(self, rule: str, columns: Sequence[str], source: str) -> str:
        """The statement that takes the rows of the SELECT `source` as hits of `rule`, each once.

        `columns`: card, seen_at and the evidence, in order.
        """
        fields = ", ".join(f"{quoted(name)}, {name}" for name in columns[2:])
        return (
            f"INSERT INTO hits SELECT DISTINCT card, {quoted(rule)}, CAST(seen_at AS TIMESTAMP),"
            f" CAST(json_object({fields}) AS VARCHAR) FROM ({source})"
        )

    def add(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Put ready hits in: for the examples of rules that read `hits`."""
        for row in rows:
            values = [row[name] for name in ("card", "rule", "seen_at", "evidence")]
            self._db.execute("INSERT INTO hits VALUES (?, ?, ?, ?)", values)

    def counts(self, rule: str) -> tuple[int, int]:
        """How many hits `rule` has, and on how many cards."""
        hits, cards = self._run(
            f"SELECT count(*), count(DISTINCT card) FROM hits WHERE rule = {quoted(rule)}"
        )[0]
        return int(hits), int(cards)

    def flagged(self, rule: str) -> frozenset[str]:
        """The cards that `rule` hit."""
        return frozenset(
            row[0] for row in self._run(f"SELECT DISTINCT card FROM hits WHERE rule = {quoted(rule)}")
        )

    def forget(self, rule: str) -> None:
        """Take the hits of `rule` back."""
        self._run(f"DELETE FROM hits WHERE rule = {quoted(rule)}")

    def write(self, path: Path) -> None:
        """Write hits.parquet, sorted, whole or not at all."""
        unfinished = path.with_suffix(".unfinished")
        self._run(
            "COPY (SELECT card, rule, seen_at, evidence FROM hits ORDER BY card, rule, seen_at, evidence)"
            f" TO {quoted(str(unfinished))} (FORMAT parquet, COMPRESSION zstd)"
        )
        unfinished.replace(path)

    def cards(self) -> Iterator[CardHits]:
        """Each card with a hit or a police case, cards in order."""
        with plainly():
            result = self._db.execute(_CARDS_WITH_HITS)
        for card, rows in groupby(_rows(result), key=itemgetter(0)):
            of_card = list(rows)
            hits = tuple(Hit(card, r[1], r[2], json.loads(r[3]), r[4]) for r in of_card if r[1] is not None)
            yield CardHits(card, hits, tuple(r[5] for r in of_card if r[5] is not None))

    def read_at_risk(self, cards_at_risk: Path) -> None:
        """Make the table `at_risk` (card): those of cards_at_risk.csv with an action beyond watch."""
        self._run(
            "CREATE OR REPLACE TEMP TABLE at_risk AS SELECT card FROM"
            f" read_csv({quoted(str(cards_at_risk))}, header = true, all_varchar = true)"
            f" WHERE action <> {quoted(Action.WATCH.word)}"
        )

    def _run(self, sql: str) -> Rows:
        return run(self._db, sql)


def hit_columns(rule: Rule) -> tuple[str, ...]:
    """The columns that the SQL of `rule` gives; RuleError unless they begin with card and seen_at."""
    columns = output_columns(rule.sql)
    if columns[:2] != ("card", "seen_at"):
        raise RuleError(f"rule {rule.id}: its SQL must give card, seen_at and the evidence, not {columns}")
    return columns


def _rows(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while True:
        with plainly():
            rows = result.fetchmany(_ROWS_AT_ONCE)
        if not rows:
            return
        yield from rows
