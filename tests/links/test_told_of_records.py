"""`duanka links build` says what it took of the files that it was given, and what it could not use."""

from __future__ import annotations

import gzip

import pytest

from support.desk import Typed, duanka

CARDS = [f"86137000000{n:02}" for n in range(12)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Typed:
    """Of a truncated file and a malformed record, with a list of two cards, one of them known, and an empty list."""
    folder = tmp_path_factory.mktemp("told")
    data = folder / "data"
    (data / "calls").mkdir(parents=True)
    (data / "cards.csv").write_text("card\n" + "\n".join(CARDS))
    rows = [f"{card},8613900000{n:03},out,2021-05-03 09:{n:02}:00" for n, card in enumerate(CARDS)]
    text = "\n".join(["card,peer,direction,started_at", *rows, f"{CARDS[0]},8613900000000,out,soon"])
    (data / "calls" / "a.csv").write_text(text)
    (data / "calls" / "cut.csv.gz").write_bytes(gzip.compress(text.replace("09:", "10:").encode())[:-20])
    (folder / "upheld.csv").write_text(f"card\n{CARDS[0]}\n8613800000001\n")
    (folder / "none.csv").write_text("card\n")
    lists = ("--upheld", "upheld.csv", "--disowned", "none.csv")
    return duanka(
        *("--language", "en", "links", "build", "data", "--out", "links", *lists),
        cwd=folder,
        DUANKA_THREADS="1",
    )


def test_what_could_not_be_read_of_records_is_told(built: Typed) -> None:
    assert built.code == 0, built.err
    assert "cut.csv.gz: " in built.err
    assert "records quarantined; `duanka scan data` says why" in " ".join(built.err.split())


def test_what_was_taken_of_lists_of_cards_is_told_also_where_it_is_nothing(built: Typed) -> None:
    said = " ".join(built.out.split())
    assert "upheld.csv: 2 cards with upheld objections, of which 1 is in these records" in said
    assert "none.csv: 0 cards that their registrants disowned, of which 0 are in these records" in said
    assert "No card is confirmed by the police: cases count with the signature" in said
