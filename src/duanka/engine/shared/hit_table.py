"""SQL of the table `hits` (card, rule, seen_at, evidence), in a scan and live.

`card` is a record key; its text is put in its place where hits leave the engine, see key_texts.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from duanka.domain.errors import RuleError
from duanka.domain.ports import CardHits
from duanka.domain.rule import Action, Hit, Rule
from duanka.engine.shared.duckdb_database import quoted
from duanka.engine.shared.key_texts import with_text
from duanka.engine.sql.render import output_columns

DEVICE = "IMEI"  # unit of the evidence that is a device


def at_risk(cards_at_risk: Path) -> str:
    """CREATE of `at_risk` (card) from cards_at_risk.csv, without cards only watched."""
    return (
        "CREATE OR REPLACE TEMP TABLE at_risk AS SELECT number_key(card) AS card FROM"
        f" read_csv({quoted(str(cards_at_risk))}, header = true, all_varchar = true)"
        f" WHERE action <> {quoted(Action.WATCH.word)}"
    )


def hit_columns(rule: Rule) -> tuple[str, ...]:
    """Result columns of `rule`; RuleError unless the first are card and seen_at."""
    columns = output_columns(rule.sql)
    if columns[:2] != ("card", "seen_at"):
        raise RuleError(f"rule {rule.id}: its SQL must give card, seen_at and the evidence, not {columns}")
    return columns


def hit_rows(rule: Rule, source: str) -> str:
    """SELECT of distinct card, seen_at, evidence (JSON) over a `source` with the result columns of `rule`."""
    devices = {column.name for column in rule.evidence if column.unit == DEVICE}
    shown = {name: f"device_text({name})" if name in devices else name for name in hit_columns(rule)[2:]}
    fields = ", ".join(f"{quoted(name)}, {value}" for name, value in shown.items())
    return (
        "SELECT DISTINCT card, CAST(seen_at AS TIMESTAMP) AS seen_at,"
        f" CAST(json_object({fields}) AS VARCHAR) AS evidence FROM ({source})"
    )


def add_hits_of(rule: Rule, source: str) -> str:
    """INSERT of the distinct rows of the SELECT `source` as hits of `rule`."""
    return f"INSERT INTO hits {hits_of(rule, source)}{first_only(rule)}"


def hits_of(rule: Rule, source: str) -> str:
    """SELECT of the distinct rows of the SELECT `source` as hits of `rule`, all that a card has."""
    return f"SELECT card, {quoted(rule.id)} AS rule, seen_at, evidence FROM ({hit_rows(rule, source)})"


def first_only(rule: Rule) -> str:
    """QUALIFY of the hits of `rule` that count: of a card all, or the first only."""
    return (
        " QUALIFY row_number() OVER (PARTITION BY card ORDER BY seen_at, evidence) = 1"
        if rule.first_only
        else ""
    )


def sorted_hits(hits: str) -> str:
    """SELECT of the content of hits.parquet from the table `hits`."""
    return f"SELECT * FROM ({with_text(hits)}) ORDER BY card, rule, seen_at, evidence"


def cards_with_hits(hits: str, cases: str, places: str, which: str = "TRUE", more: str = "") -> str:
    """SELECT that `by_card` reads: hits by rule, cases and place of each card.

    `hits`, `cases`, `places`: names of the tables. `which`: condition on hits and cases. `more`: a SELECT of further
    cards, which may have neither hit nor case.
    """
    also = f"UNION ALL SELECT DISTINCT card{', NULL' * 8} FROM ({more})" if more else ""
    return f"""
        SELECT number_text(found.card) AS card, found.* EXCLUDE (card), place.operator, place.home_city FROM (
            SELECT card, rule, min(seen_at), arg_min(evidence, (seen_at, evidence)), count(*),
                   NULL AS case_id, NULL AS signed_by,
                   max(seen_at) AS last_at, count(DISTINCT CAST(seen_at AS DATE)) AS days
            FROM {hits} WHERE {which} GROUP BY card, rule
            UNION ALL
            SELECT DISTINCT card, NULL, NULL, NULL, NULL, case_id, signed_by, NULL, NULL FROM {cases} WHERE {which}
            {also}
        ) AS found LEFT JOIN {places} AS place ON place.card = found.card ORDER BY 1, 2 NULLS LAST, 6, 7"""


def by_card(rows: Iterable[tuple[Any, ...]]) -> Iterator[CardHits]:
    """Group the rows of `cards_with_hits` by card."""
    for card, group in groupby(rows, key=itemgetter(0)):
        of_card = list(group)
        hits = tuple(
            Hit(card, r[1], r[2], json.loads(r[3]), r[4], r[7], r[8]) for r in of_card if r[1] is not None
        )
        signed = {r[5]: None for r in of_card if r[6] is not None}
        sources = tuple(sorted({r[6] for r in of_card if r[6] is not None}))
        claimed = {r[5]: None for r in of_card if r[5] is not None and r[5] not in signed}
        operator, city = (value or "" for value in of_card[0][9:11])
        yield CardHits(card, hits, tuple(signed), sources, tuple(claimed), operator, city)
