"""SQL between record keys and texts: what the engine reads from people and shows to them.

The macros `number_text(key)`, `device_text(key)` and `number_key(text)` work wherever `create` was called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from duanka.domain.errors import UnreadableInput
from duanka.domain.record_keys import DEVICE_DIGITS, MOST_DIGITS

COLUMNS = "key BIGINT, text VARCHAR"  # of the table of texts behind hashed keys


def refuse_two(run: Callable[[str], list[tuple[Any, ...]]], select: str) -> None:
    """UnreadableInput where `select` (key, a text, another text with that key) has a row."""
    for key, one, other in run(f"{select} LIMIT 1"):
        raise UnreadableInput(
            f"{one!r} and {other!r} have the same record key {key}, which happens once in a billion pseudonyms; ask who"
            " delivers them for another pseudonym of one of the two. Nothing of this delivery was used"
        )


def refuse_two_in(run: Callable[[str], list[tuple[Any, ...]]], texts: str) -> None:
    """UnreadableInput where a key stands in `texts` (key, text; no pair twice) with two texts."""
    refuse_two(run, f"SELECT key, min(text), max(text) FROM {texts} GROUP BY key HAVING count(*) > 1")


def create(run: Callable[[str], object], texts: str) -> None:
    """Create the macros; `texts`: table of COLUMNS, each key once."""
    hashed = f"(SELECT t.text FROM {texts} AS t WHERE t.key = k)"
    run(
        "CREATE OR REPLACE TEMP MACRO number_text(k) AS"
        f" CASE WHEN k >= 0 THEN CAST(k AS VARCHAR) WHEN k < 0 THEN {hashed} END"
    )
    run(
        "CREATE OR REPLACE TEMP MACRO device_text(k) AS"
        f" CASE WHEN k >= 0 THEN lpad(CAST(k AS VARCHAR), {DEVICE_DIGITS}, '0') WHEN k < 0 THEN {hashed} END"
    )
    run(
        "CREATE OR REPLACE TEMP MACRO number_key(t) AS"
        f" CASE WHEN regexp_full_match(t, '[1-9][0-9]{{0,{MOST_DIGITS - 1}}}') THEN TRY_CAST(t AS BIGINT)"
        f" ELSE (SELECT any_value(h.key) FROM {texts} AS h WHERE h.text = t) END"
    )


def with_text(source: str, columns: str = "rule, seen_at, evidence") -> str:
    """SELECT of the text of `card`, and `columns`, over `source`."""
    return f"SELECT number_text(card) AS card, {columns} FROM {source}"
