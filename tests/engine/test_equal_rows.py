"""Where several rows are equally good, always the same is taken: two runs over one store give equal answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from duanka.domain.network import Carried, Refusal, RefusalReason
from duanka.domain.ports import Silent
from duanka.engine.links import card_facts
from duanka.engine.links.gathered_days import GatheredDays
from duanka.engine.links.source import LinkSource
from duanka.engine.shared.hit_table import first_only
from duanka.engine.store.manifest import FileKind
from duanka.engine.store.reading.lookups import StoreLookups
from duanka.engine.store.record_store import RecordStore
from duanka.rules.one_way_calls import RULE
from support import ROOT
from support.engine.filled_store import fill
from support.engine.store_deliveries import NOW, Row
from support.engine.store_reading import source as rows_of

MORNING = datetime(2026, 3, 1, 9)
CELLS = (("130100", "46000900"), ("130200", "46000100"), ("130300", "46000500"))


def call(card: str, place: tuple[str, str], at: datetime = MORNING) -> Row:
    fixed = {
        "peer": "8615900000001",
        "direction": "out",
        "seconds": 9,
        "answered": True,
        "imei": "86012304000001",
    }
    return {"card": card, "started_at": at, "city": place[0], "cell": place[1], **fixed}


def in_all_orders(rows: int) -> Iterator[tuple[tuple[str, str], ...]]:
    for number in range(rows):
        yield CELLS[number % 3 :] + CELLS[: number % 3]


def test_of_cells_that_saw_a_card_equally_often_the_last_by_number_is_its_place(tmp_path: Path) -> None:
    cards = [f"86137000000{number:02}" for number in range(30)]
    calls = [
        call(card, place, MORNING + timedelta(minutes=minute))
        for card, places in zip(cards, in_all_orders(30), strict=True)
        for minute, place in enumerate(places)
    ]
    with fill(tmp_path / "store", {"calls": calls}).writing(NOW) as writer:
        writer.merge_life()
        writer.commit()
    source = LinkSource(tmp_path / "store", tmp_path / "work", memory="512MB", threads=2)
    card_facts.gather(source, GatheredDays(source, tmp_path / "days"), Silent())
    found = pl.DataFrame(card_facts.cards(source)).select("name", "city", "cell", "places")
    source.close()
    city, cell = max(CELLS, key=lambda place: place[1])
    assert sorted(found.rows()) == [(card, city, int(cell), 3) for card in cards]


def test_of_hits_of_one_moment_the_first_by_evidence_counts() -> None:
    assert RULE.first_only
    hits = [
        f"(1, TIMESTAMP '2026-03-01 09:00:00', '{{\"day\": {number:03}}}')" for number in range(300, 99, -1)
    ]
    later = "(1, TIMESTAMP '2026-03-01 10:00:00', '{\"day\": 001}')"
    table = f"(VALUES {', '.join([later, *hits])}) AS hits(card, seen_at, evidence)"
    kept = duckdb.execute(f"SELECT evidence FROM {table}{first_only(RULE)}").fetchall()
    assert kept == [('{"day": 100}',)]


def test_records_of_one_moment_have_one_order_page_by_page(tmp_path: Path) -> None:
    card = "8613700000001"
    differ = [f"860123040000{number:02}" for number in range(40)]
    calls = [{**call(card, CELLS[number % 3]), "imei": imei} for number, imei in enumerate(differ)]
    fill(tmp_path / "store", {"calls": calls[::2]})
    fill(tmp_path / "store", {"calls": calls[1::2]}, NOW + timedelta(days=1))
    lookups = StoreLookups(tmp_path / "store", threads=2)
    found = lookups.records_of(card, MORNING, MORNING + timedelta(days=1))
    lookups.close()
    assert [record.imei for record in found] == differ


@pytest.mark.parametrize("backward", [False, True])
def test_of_a_refusal_told_twice_differently_the_first_is_kept(tmp_path: Path, backward: bool) -> None:
    at = datetime(2026, 3, 8, 4, tzinfo=UTC)
    rows = [
        Refusal(
            *("call_proxy", f"k{key}", at + timedelta(seconds=late), Carried.CALL, "8613800000001", "95588"),
            RefusalReason.BLOCKED_SENDER,
            f"told {late}",
        )
        for key in range(20)
        for late in range(3)
    ]
    store = RecordStore(tmp_path / "store")
    with store.writing(NOW) as writer:
        writer.add_refusals(rows[::-1] if backward else rows)
        writer.commit()
    kept = duckdb.execute(f"SELECT key, detail FROM {rows_of(store, FileKind.REFUSALS)}").fetchall()
    assert kept == sorted((f"k{key}", "told 0") for key in range(20)), "and in the order of their keys"


# one value in each group, whichever is taken
_ONE_VALUE = {
    "any_value(of_type)": "of all devices of a type",
    "any_value(h.key)": "a text has one key",
}


def test_no_sql_takes_any_of_several() -> None:
    """What follows arg_max and arg_min by is a tuple that ends with what is taken; DISTINCT ON has an order."""
    for file in sorted((ROOT / "src" / "duanka").rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        for found in re.findall(
            r"\bany_value\([^)]*\)|\b(?:mode|first|last)\((?=[a-z.]+\) (?:AS|FROM))", text
        ):
            assert found in _ONE_VALUE, f"{file}: {found} is any of several: take min, or arg_min by a tuple"
        for taken, by in re.findall(r"\barg_(?:max|min)\(([\w.]+), (\([^)]*\)|\{first\}|[^)]*)\)", text):
            tied = by == "{first}" or (by.startswith("(") and re.search(rf"\b{re.escape(taken)}\b", by))
            assert tied, f"{file}: of rows that are equal by {by}, any {taken} is taken"
        for rest in re.findall(r"DISTINCT ON.*", text):
            assert "ORDER BY" in text[text.index(rest) :][:300], f"{file}: {rest}"
