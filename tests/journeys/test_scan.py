"""A scan as a person meets it: what it writes, what it says, how it ends."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from duanka.domain.schema import TABLES
from support.desk import cards_at_risk, duanka, hits, printed_by_scan


def test_the_output_is_what_the_page_says(national: Path) -> None:
    raw = (national / "cards_at_risk.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfcard,tier,rules,reasons,action\r\n")
    rows = cards_at_risk(national)
    assert {row["tier"] for row in rows} <= {"low", "medium", "high", "extreme"}
    assert {row["action"] for row in rows} <= {"watch", "verify", "verify_at_counter", "stop"}
    order = ["extreme", "high", "medium", "low"]
    tiers = [order.index(row["tier"]) for row in rows]
    assert tiers == sorted(tiers), "the heaviest tier comes first"
    assert len({row["card"] for row in rows}) == len(rows)
    assert pq.read_schema(national / "hits.parquet").names == ["card", "rule", "seen_at", "evidence"]
    assert pq.read_schema(national / "quarantine.parquet").names == [
        "file",
        "line",
        "column",
        "reason",
        "raw",
    ]
    page = (national / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert {p.name for p in national.iterdir()} == {
        "decisions.jsonl",
        "hits.parquet",
        "cards_at_risk.csv",
        "cards_at_risk.xlsx",
        "quarantine.parquet",
        "report.html",
    }, "all of it, and nothing is left behind"


def test_the_same_input_gives_the_same_output(province: Path, national: Path, national_signed: Path) -> None:
    """By another Python with less memory; it differs only in the cards whose cases it believes to be signed."""
    for name in ("hits.parquet", "quarantine.parquet"):
        assert pq.read_table(national_signed / name) == pq.read_table(national / name)
    cases = [card.encode() for card in pl.read_parquet(province / "cases.parquet")["card"]]
    lists = [
        [
            line
            for line in (out / "cards_at_risk.csv").read_bytes().splitlines()
            if line.split(b",")[0] not in cases
        ]
        for out in (national_signed, national)
    ]
    assert lists[0] == lists[1]


def test_files_in_csv_delivered_twice_and_split_change_nothing(
    small_province: Path, small_scanned: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(small_province, data)
    shutil.rmtree(data / "calls")
    (data / "calls").mkdir()
    for day in sorted((small_province / "calls").glob("*.parquet")):
        text = pl.read_parquet(day).write_csv(datetime_format="%Y-%m-%d %H:%M:%S%.6f").encode()
        (data / "calls" / f"{day.stem}.csv.gz").write_bytes(gzip.compress(text, 1))
    twice = next((data / "calls").glob("*.csv.gz"))
    shutil.copy(twice, data / "calls" / "again.csv.gz")
    typed = duanka("scan", data, "--out", tmp_path / "out")
    assert typed.code == 0, typed.err
    assert hits(tmp_path / "out") == hits(small_scanned)
    assert "Delivered twice, not read again: calls/again.csv.gz" in typed.out


def test_as_of_sees_nothing_that_came_later(
    small_province: Path, small_scanned: Path, tmp_path: Path
) -> None:
    """A scan as of the sixth day equals a scan of what had been delivered by then."""
    cut = tmp_path / "cut"
    shutil.copytree(small_province, cut)
    for table in ("calls", "messages", "sightings", "data_days"):
        for day in (cut / table).glob("*.parquet"):
            if day.stem >= "2021-05-09":
                day.unlink()
    now = "2021-05-09T00:00"
    for data, out in ((small_province, "whole"), (cut, "cut")):
        typed = duanka("scan", data, "--as-of", now, "--out", tmp_path / out)
        assert typed.code == 0, typed.err
    assert hits(tmp_path / "whole") == hits(tmp_path / "cut")
    assert cards_at_risk(tmp_path / "whole") == cards_at_risk(tmp_path / "cut")
    assert len({hit["rule"] for hit in hits(tmp_path / "cut")}) > 10
    assert hits(tmp_path / "cut") != hits(small_scanned), "something came later"


def _tiny(folder: Path) -> Path:
    """Cards and calls only, in CSV."""
    folder.mkdir()
    (folder / "cards.csv").write_text("card\n8613800000001\n")
    lines = [f"8613800000001,86139{i:08},out,2021-05-17 09:{i:02}:00" for i in range(9)]
    (folder / "calls.csv").write_text("\n".join(["card,peer,direction,started_at", *lines]) + "\n")
    return folder


def test_a_rule_that_cannot_run_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    typed = duanka("scan", _tiny(tmp_path / "data"))
    assert typed.code == 0, typed.err
    assert "Not run: fan_out, the data lack calls.answered" in typed.out
    assert "Not run: high_risk_area, the data lack high_risk_areas, cards.home_city" in typed.out
    page = (tmp_path / "data" / "duanka-out" / "report.html").read_text(encoding="utf-8")
    assert "calls.answered" in page
    assert "cards.home_city" in page


def test_too_many_bad_records_end_with_three(tmp_path: Path) -> None:
    data = _tiny(tmp_path / "data")
    with (data / "calls.csv").open("a") as file:
        file.write("8613800000001,8613900000001,sideways,2021-05-17 10:00:00\n")
    typed = duanka("scan", data)
    assert typed.code == 3
    assert "1 of 11 records quarantined" in typed.out
    assert cards_at_risk(data / "duanka-out"), "good rows are used all the same"
    assert duanka("scan", data, "--max-bad", "10%").code == 0
    bad = pq.read_table(data / "duanka-out" / "quarantine.parquet").to_pylist()
    assert [(row["file"], row["line"], row["column"]) for row in bad] == [("calls.csv", 11, "direction")]
    assert "sideways" in bad[0]["raw"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["scan", "nowhere"], "nowhere"),
        (["scan", "data", "--policy", "nirgends"], "hebei, national"),
        (["scan", "data", "--mapping", "none.toml"], "none.toml"),
        (["scan", "data", "--memory", "much"], "1GB"),
        (["scan", "data", "--max-bad", "few"], "1%"),
        (["scan", "data", "--lists", "none.toml"], "none.toml"),
        (["scan", "data", "--out", "file.txt"], "--out"),
        (["evaluate", "data", "--truth", "none.parquet"], "none.parquet"),
        (["rules", "show", "nothing"], "duanka rules list"),
        (["rules", "backtest", "fan_out", "data", "--set", "min=1"], "min_peers"),
        (["rules", "backtest", "fan_out", "data", "--set", "min_peers=many"], "50"),
        (["simulate", "world", "--cards", "1"], "100"),
        (["spec", "--results", "file.txt"], "make test"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_clear_line(tmp_path: Path, words: list[str], says: str) -> None:
    _tiny(tmp_path / "data")
    (tmp_path / "file.txt").write_text("not what you want")
    typed = duanka(*words, cwd=tmp_path)
    assert typed.code == 2
    assert typed.err.count("\n") == 1, typed.err
    assert says in typed.err
    assert "Traceback" not in typed.err


def test_a_wrong_setting_is_one_clear_line(tmp_path: Path) -> None:
    typed = duanka("scan", _tiny(tmp_path / "data"), DUANKA_LANGUAGE="klingon")
    assert (typed.code, typed.err.count("\n")) == (2, 1)
    assert "DUANKA_LANGUAGE" in typed.err


def test_an_area_list_without_authority_is_refused(tmp_path: Path) -> None:
    lists = tmp_path / "lists.toml"
    lists.write_text('[[lists.high_risk_areas]]\ncity = "990201"\nsince = 2021-01-01\nuntil = 2021-12-31\n')
    typed = duanka("scan", _tiny(tmp_path / "data"), "--lists", lists)
    assert typed.code == 2
    assert "without authority" in typed.err


def test_document_numbers_never_reach_the_disk(tmp_path: Path) -> None:
    number = "11010519491231002X"  # the standard's own example
    data = _tiny(tmp_path / "data")
    (data / "cards.csv").write_text(f"card,holder\n8613800000001,{number}\n8613800000002,{number},x\n")
    refused = duanka("scan", data)
    assert refused.code == 2
    assert "DUANKA_HOLDER_KEY" in refused.err
    typed = duanka("scan", data, "--max-bad", "50%", DUANKA_HOLDER_KEY="0123456789abcdef")
    assert typed.code == 0, typed.err
    for path in (data / "duanka-out").rglob("*"):
        assert number.encode() not in path.read_bytes(), path
        assert number not in typed.out + typed.err
    for path in (data / "duanka-out").glob("*.parquet"):
        assert number not in str(pq.read_table(path).to_pylist())


def test_a_spreadsheet_formula_stays_text(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    lines = [f'"=HYPERLINK(1)",p{i},out,2021-05-17 09:{i:02}:00' for i in range(9)]
    (data / "x.csv").write_text("\n".join(["card,peer,direction,started_at", *lines]) + "\n")
    (tmp_path / "m.toml").write_text(
        'name = "m"\n[numbers]\nstyle = "opaque"\n[[source]]\nfiles = "x.csv"\ntable = "calls"\n'
        '[source.columns]\ncard = "card"\npeer = "peer"\n'
        'direction = { from = "direction", codes = { out = "out", in = "in" } }\n'
        'started_at = "started_at"\n'
    )
    typed = duanka("scan", data, "--mapping", tmp_path / "m.toml")
    assert typed.code == 0, typed.err
    assert [row["card"] for row in cards_at_risk(data / "duanka-out")] == ["'=HYPERLINK(1)"]


def test_the_native_tables_are_those_of_the_simulator(province: Path) -> None:
    found = {p.name.removesuffix(".parquet") for p in province.iterdir()}
    beside = {"world.toml", "truth", "cases.parquet.sig", "police.pub"}
    assert found - beside == set(TABLES) - {"rings", "outlet_batches"}, "which `duanka links` makes of them"


def test_signed_cases_are_extreme_where_the_source_is_registered_and_high_elsewhere(
    province: Path, national: Path, national_signed: Path
) -> None:
    signed = {row["card"] for row in cards_at_risk(national_signed) if row["tier"] == "extreme"}
    assert signed == set(pl.read_parquet(province / "cases.parquet")["card"])
    said, said_unsigned = (
        printed_by_scan(out).read_text(encoding="utf-8") for out in (national_signed, national)
    )
    for text in ("no registered source signed", "bear no seal"):
        assert text not in said
        assert text in said_unsigned
    unsigned = {row["card"]: row["tier"] for row in cards_at_risk(national)}
    assert {unsigned[card] for card in signed} == {"high"}
    ours = [json.loads(line) for line in (national_signed / "decisions.jsonl").read_bytes().splitlines()]
    assert all(line["seal"] for line in ours)
    assert {line["card"] for line in ours if line.get("signed_by") == ["bureau"]} == signed
    theirs = (national / "decisions.jsonl").read_bytes()
    assert b"seal" not in theirs
    assert b'"stop"' not in theirs


def test_one_file_of_calls_is_scanned_and_its_cards_are_counted_once(tmp_path: Path) -> None:
    rows = [f"861380013800{n % 2},8613900139000,out,2021-05-17 09:{n}0:00,60" for n in range(5)]
    (tmp_path / "calls.csv").write_text("card,peer,direction,started_at,seconds\n" + "\n".join(rows) + "\n")
    typed = duanka("scan", tmp_path, "--out", tmp_path / "out")
    assert typed.code == 0, typed.err
    assert "5 records of 2 cards" in typed.out
    assert "2 张卡" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert duanka("scan", tmp_path / "calls.csv", "--out", tmp_path / "alone").out.startswith(
        "Scanned 5 records of 2 cards"
    )


def test_a_delivery_whose_switch_knows_no_device_says_so_and_accuses_nobody(tmp_path: Path) -> None:
    rows = [f"86138001380{n:02},8613900139000,out,2021-05-17 09:30:00,60,000000000000000" for n in range(12)]
    (tmp_path / "calls.csv").write_text(
        "card,peer,direction,started_at,seconds,imei\n" + "\n".join(rows) + "\n"
    )
    typed = duanka("scan", tmp_path, "--out", tmp_path / "out")
    assert typed.code == 0, typed.err
    assert "placeholder for an IMEI" in typed.out
    assert not {hit["rule"] for hit in hits(tmp_path / "out")} & {
        "shared_device",
        "sim_box",
        "device_hopping",
    }
