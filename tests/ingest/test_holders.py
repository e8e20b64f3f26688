"""Document numbers are hashed under a key, and nothing of them reaches the disk."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import polars as pl
import pytest

from duanka.domain.errors import MissingKey
from duanka.ingest import take_in
from duanka.ingest.model.holders import looks_like_document, without_documents
from support.ingest.deliveries import CALL, CALLS, KEY, delivered, mapping, table, taken

DOCUMENT = "11010519491231002X"
OLD = "110105491231002"
HASHED = hmac.new(KEY, DOCUMENT.encode(), hashlib.sha256).hexdigest()

PASSPORTS = """
[[source]]
files = "cards.csv"
table = "cards"
[source.columns]
card = "card"
holder = { from = "document", hash = true }
"""


def on_disk(folder: Path) -> str:
    """Everything that intake wrote, packed or not."""
    text = ""
    for path in sorted((folder / "out").rglob("*")):
        if path.is_file():
            text += path.read_bytes().decode("latin-1")
            text += str(pl.read_parquet(path).to_dicts())
    return text


def test_what_looks_like_a_document_is_hashed(tmp_path: Path) -> None:
    cards = f"card,holder\n13800138000, {DOCUMENT.lower()} \n13800138001,{DOCUMENT}\n"
    cards += f"13800138002,{OLD}\n13800138003,a1b2\n"
    intake = taken(tmp_path, {"cards.csv": cards, "calls.csv": CALLS + CALL}, holder_key=KEY)
    first, second, old, given = table(intake, "cards")["holder"].to_list()
    assert first == second == HASHED
    assert old == hmac.new(KEY, OLD.encode(), hashlib.sha256).hexdigest()
    assert given == "a1b2"
    assert DOCUMENT not in on_disk(tmp_path).upper()
    assert OLD not in on_disk(tmp_path)


def test_a_mapping_hashes_everything(tmp_path: Path) -> None:
    cards = "card,document\n13800138000,E12345678\n13800138001,e12345678\n13800138002,\n"
    intake = taken(tmp_path, {"cards.csv": cards}, mapping=mapping(tmp_path, PASSPORTS), holder_key=KEY)
    first, second, none = table(intake, "cards")["holder"].to_list()
    assert first == second == hmac.new(KEY, b"E12345678", hashlib.sha256).hexdigest()
    assert none is None


def test_without_a_key_nothing_is_written(tmp_path: Path) -> None:
    cards = f"card,holder\n13800138000,{DOCUMENT}\n"
    data = delivered(tmp_path, {"cards.csv": cards, "calls.csv": CALLS + CALL})
    with pytest.raises(MissingKey, match=r"cards.csv, column 'holder'.*set DUANKA_HOLDER_KEY"):
        take_in(data, tmp_path / "out")
    assert DOCUMENT not in on_disk(tmp_path)
    assert not list((tmp_path / "out").rglob("*.origin"))


def test_the_quarantine_withholds_documents(tmp_path: Path) -> None:
    cards = (
        "card,holder,opened_at,note\n"
        f"13800138000,{DOCUMENT},no time,n\n"  # a value that does not fit
        f"13800138001,{DOCUMENT}\n"  # a line that does not
        f'13800138002,"{DOCUMENT},2021-01-01,n\n'
        f"{DOCUMENT},abc,2021-01-01,n\n"  # columns in the wrong order
        f"13800138003,abc,2021-01-01,{DOCUMENT}\n"
        f"13800138003,abd,2021-01-01,{DOCUMENT}\n"  # described twice: the line before is set aside
    )
    intake = taken(tmp_path, {"cards.csv": cards, "calls.csv": CALLS + CALL}, holder_key=KEY)
    raws = pl.read_parquet(intake.quarantine).sort("line")["raw"].to_list()
    assert raws == [
        "13800138000,<withheld>,no time",
        "<withheld: the file carries document numbers; see the line in the source>",
        "<withheld: the file carries document numbers; see the line in the source>",
        "<withheld>,<withheld>,2021-01-01",
        '{"card": "8613800138003", "holder": "<withheld>", "opened_at": "2021-01-01 00:00:00"}',
    ]
    assert DOCUMENT not in on_disk(tmp_path)


def test_parquet_withholds_documents_too(tmp_path: Path) -> None:
    cards = pl.DataFrame({"card": ["x", "13800138001"], "holder": [DOCUMENT, DOCUMENT]})
    intake = taken(tmp_path, {"cards.parquet": cards, "calls.csv": CALLS + CALL}, holder_key=KEY)
    assert pl.read_parquet(intake.quarantine)["raw"].to_list() == ['{"card": "x", "holder": "<withheld>"}']
    assert DOCUMENT not in on_disk(tmp_path)


@pytest.mark.parametrize("text", [DOCUMENT, OLD, "440301199901011234", "11010519491231002x"])
def test_what_looks_like_a_document(text: str) -> None:
    assert looks_like_document(text)


@pytest.mark.parametrize(
    "text", ["", "abc", "860000000000001", "110105194913310021", "1" * 18, HASHED, "8613800138000"]
)
def test_what_does_not(text: str) -> None:
    assert not looks_like_document(text)
    assert without_documents(text) == text
