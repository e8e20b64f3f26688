"""Record keys: a column's keys are those of its texts one by one, and lead back to the texts."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from duanka.domain.record_keys import is_short_code, key_of, short_code_sql
from duanka.domain.schema import CALLS
from duanka.engine.shared import key_texts
from duanka.ingest.storage.key_columns import BatchTexts, KnownTexts, keys, with_keys, with_texts

_DIGITS = st.text("0123456789", min_size=1, max_size=22)
_ODD = [
    "0",
    "00861",
    "+8613",
    "-5",
    "1e5",
    " 1",
    "1.0",
    "１２３",
    "short:1",
    "106-7",
    "a",
    "x" * 63,
    "x" * 64,
    "x" * 65,
    "汉" * 40,
]
_TEXTS = st.lists(_DIGITS | st.text(min_size=1, max_size=80) | st.sampled_from(_ODD), min_size=1)


@given(_TEXTS)
@example(_ODD)
@example(["35693803564380", "05693803564380", "+5693803564380", "-5693803564380"])
def test_a_column_has_the_keys_of_its_texts_and_they_lead_back(texts: list[str]) -> None:
    frame = pl.DataFrame(
        {"card": texts, "imei": texts, "peer": [*texts[:-1], None]}, schema_overrides={"peer": pl.String}
    )
    known = BatchTexts()
    keyed = with_keys("calls", frame, known)
    assert keyed["card"].to_list() == [key_of(text) for text in texts]
    assert keyed["imei"].to_list() == [key_of(text, device=True) for text in texts]
    assert keyed["peer"].to_list() == [*(key_of(text) for text in texts[:-1]), None]
    pairs = known.pairs()
    assert with_texts("calls", keyed, None if pairs is None else pairs.lazy()).equals(frame)


@given(_TEXTS)
@example(
    [
        "106",
        "1061",
        "106123",
        "1061234",
        "106" + "9" * 15,
        "106" + "9" * 16,
        "1069",
        "10700001",
        "999999",
        "1000000",
    ]
)
def test_sql_finds_the_short_codes(texts: list[str]) -> None:
    found = keys(CALLS.column("peer"), pl.Series("peer", texts))
    with duckdb.connect() as db:
        db.register("found", pl.DataFrame({"peer": found}).with_row_index("n").to_arrow())
        rows = db.execute(f"SELECT {short_code_sql('peer')} FROM found ORDER BY n").fetchall()
    assert [row[0] for row in rows] == [is_short_code(text) for text in texts]


def test_the_engine_reads_and_writes_the_same_texts(tmp_path: Path) -> None:
    texts = ["8613800000001", *_ODD, "x" * 65]
    known = KnownTexts(tmp_path / "texts.parquet")
    found = keys(CALLS.column("imei"), pl.Series("imei", ["05693803564380", *texts]), known)
    (path,) = known.close()
    with duckdb.connect() as db:
        db.execute(f"CREATE TABLE texts ({key_texts.COLUMNS})")
        db.execute(f"INSERT INTO texts SELECT DISTINCT * FROM read_parquet('{path}')")
        key_texts.create(db.execute, "texts")
        db.register("found", pl.DataFrame({"key": found}).with_row_index("n").to_arrow())
        rows = db.execute("SELECT device_text(key) FROM found ORDER BY n").fetchall()
        assert [row[0] for row in rows] == ["05693803564380", *texts]
        back = [db.execute("SELECT number_key(?)", [text]).fetchall()[0][0] for text in texts]
    assert back == [key_of(text) for text in texts]


@pytest.mark.parametrize("text", ["h-0001", "short:12", "x" * 65])
def test_a_key_is_the_same_in_every_release(text: str) -> None:
    assert (
        key_of(text)
        == {
            "h-0001": -6223701841498362073,
            "short:12": -5781652896955739493,
            "x" * 65: -2385211231138766232,
        }[text]
    )
