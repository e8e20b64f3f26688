"""The main path: what counts as a delivery, what is left behind, and what a person is told."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from duanka.domain.errors import LostRecords, MappingError, UnreadableInput
from duanka.domain.schema import TABLES
from duanka.ingest import take_in
from duanka.ingest.model.reasons import QuarantineReason
from duanka.ingest.storage.parquet_store import schema
from duanka.ingest.validation.quarantine import Quarantine
from support.ingest.deliveries import (
    CALL,
    CALLS,
    CARDS,
    KEY,
    delivered,
    mapping,
    quarantined,
    reasons,
    shipped,
    table,
    taken,
)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"cards.csv": CARDS},
            r"found cards, but none of calls, messages, sightings, data_days \(as .parquet",
        ),
        ({"x.csv": CARDS}, r"found none of calls, messages, sightings, data_days \(as .parquet"),
        ({"sub/x.csv": CARDS, "sub/.calls/calls.csv": CALLS}, r"found none of calls"),
    ],
)
def test_a_directory_that_is_no_delivery(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(UnreadableInput, match=message):
        take_in(delivered(tmp_path, files), tmp_path / "out")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match=r"no such file or directory; check the path"):
        take_in(tmp_path / "no", tmp_path / "out")
    data = delivered(tmp_path, {"cards.csv": CARDS})
    with pytest.raises(UnreadableInput, match=r"its name does not say which records it holds"):
        take_in(data / "cards.csv", tmp_path / "out")
    data = delivered(tmp_path / "other", {"x.csv": CALLS})
    with pytest.raises(UnreadableInput, match=r"no file matches the mapping's \*.ber, \*.cdr, \*.dat"):
        take_in(data, tmp_path / "out", mapping=shipped("ts32298"))


def test_every_table_has_its_canonical_form(tmp_path: Path) -> None:
    values = {"number": "8613800138000", "time": "2021-05-17 09:30:00", "day": "2021-05-17", "count": "5"}
    values |= {"flag": "true", "imei": "353490069873310", "text": "x", "holder": "a1"}
    files = {}
    for name, one in TABLES.items():
        row = [values.get(c.kind.value, c.choices[0] if c.choices else "") for c in one.columns]
        files[f"{name}.csv"] = ",".join(c.name for c in one.columns) + "\n" + ",".join(row) + "\n"
    intake = taken(tmp_path, files)
    assert reasons(intake) == []
    for name, one in TABLES.items():
        frame = table(intake, name)
        assert frame.columns == [c.name for c in one.columns]
        assert intake.columns[name] == set(frame.columns) - {"signed_by"}, (
            "intake says who signed, no file does"
        )
        assert schema(name).names == frame.columns
        for path in intake.tables[name]:
            assert path.parent == tmp_path / "out" / name


def test_the_order_of_files_is_that_of_their_names(tmp_path: Path) -> None:
    files = {f"calls/{name}.csv": CALLS + CALL.replace(",61", f",{at}") for at, name in enumerate("cab")}
    assert table(taken(tmp_path, files), "calls")["seconds"].to_list() == [1, 2, 0]


def test_what_an_earlier_intake_left_is_replaced(tmp_path: Path) -> None:
    taken(
        tmp_path, {"calls.csv": CALLS + CALL + "x\n", "messages.csv": CALLS.replace("started", "sent") + CALL}
    )
    (tmp_path / "out" / "notes.txt").write_text("kept")
    (tmp_path / "data" / "messages.csv").unlink()
    intake = taken(tmp_path, {"calls.csv": CALLS + CALL.replace(",61", ",62")})
    assert table(intake, "calls")["seconds"].to_list() == [62]
    left = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert left == ["calls/part-00000.parquet", "cards/part-00000.parquet", "notes.txt", "quarantine.parquet"]


def test_our_own_output_is_no_input(tmp_path: Path) -> None:
    text = '[[source]]\nfiles = ["*.csv", "*.parquet"]\ntable = "calls"\n[source.columns]\n'
    text += 'card = "card"\npeer = "peer"\ndirection = "direction"\nstarted_at = "started_at"\n'
    data = delivered(
        tmp_path, {"a.csv": CALLS + CALL, "duanka-out/cards_at_risk.csv": "x\n", ".b.csv": "", "_c.csv": ""}
    )
    for _ in range(2):
        intake = take_in(data, data / "out", mapping=mapping(tmp_path, text))
        assert [f.file for f in intake.files] == ["a.csv"]


def test_files_that_nothing_takes_are_named(tmp_path: Path) -> None:
    intake = taken(
        tmp_path, {"calls.csv": CALLS + CALL, "truth.parquet": pl.DataFrame({"a": [1]}), "README.md": "x"}
    )
    assert intake.ignored == {"truth.parquet": ()}


@pytest.mark.parametrize(
    "name", ["messages.csv.7z", "old/calls.csv.lz4", "calls.xls", "calls/notes", "a.jsonl"]
)
def test_a_form_that_is_not_read_is_named(tmp_path: Path, name: str) -> None:
    intake = taken(tmp_path, {"calls.csv": CALLS + CALL, name: b"x"})
    (told,) = intake.ignored
    assert told.startswith(name)
    assert told.endswith(")") == (name != "calls/notes")


def test_one_file_may_feed_two_tables(tmp_path: Path) -> None:
    source = '[[source]]\nfiles = "*.csv"\ntable = "{}"\nwhere = {{ kind = ["{}"] }}\n[source.columns]\n'
    source += 'card = "card"\npeer = "peer"\ndirection = "direction"\n{} = "at"\n'
    rows = "kind,card,peer,direction,at\n"
    rows += "".join(
        f"{kind},13800138000,10086,in,2021-05-17\n" for kind in ("call", "sms", "mms", "", "call")
    )
    both = mapping(
        tmp_path, source.format("calls", "call", "started_at") + source.format("messages", "sms", "sent_at")
    )
    intake = taken(tmp_path, {"x.csv": rows}, mapping=both)
    (account,) = intake.files
    assert (account.table, account.records, account.used, account.quarantined) == ("calls+messages", 5, 2, 3)
    assert quarantined(intake) == [
        (4, "kind", "no table for this row"),
        (5, "kind", "no table for this row"),
        (6, "", "delivered twice"),
    ]
    raws = pl.read_parquet(intake.quarantine).sort("line")["raw"].to_list()
    assert raws[:2] == ["mms,13800138000,10086,in,2021-05-17", ",13800138000,10086,in,2021-05-17"]


def test_sources_have_to_agree_on_a_file(tmp_path: Path) -> None:
    source = '[[source]]\nfiles = "*.csv"\ntable = "sightings"\ndelimiter = "{}"\n'
    source += '[source.columns]\ncard = "a"\nseen_at = "b"\n'
    both = mapping(tmp_path, source.format(",") + source.format(";"))
    with pytest.raises(MappingError, match=r"the sources that take x.csv disagree on its format, delimiter"):
        taken(tmp_path, {"x.csv": "a,b\n"}, mapping=both)


@pytest.mark.parametrize("key", ['where = { no = "1" }', 'record_id = "no"', 'swap_when = { no = "1" }'])
def test_a_column_that_the_mapping_needs(tmp_path: Path, key: str) -> None:
    text = f'[[source]]\nfiles = "*.csv"\ntable = "calls"\n{key}\n[source.columns]\n'
    text += 'card = "card"\npeer = "peer"\ndirection = "direction"\nstarted_at = "started_at"\n'
    with pytest.raises(UnreadableInput, match=r"x.csv: no column 'no' for the mapping; found card, peer"):
        taken(tmp_path, {"x.csv": CALLS + CALL}, mapping=mapping(tmp_path, text))


def test_progress_comes_to_its_end(tmp_path: Path) -> None:
    steps: list[tuple[str, float, float | None]] = []

    class Told:
        def step(self, what: str, done: float, total: float | None = None) -> None:
            steps.append((what, done, total))

    files = {"calls/1.csv": CALLS + CALL, "calls/2.csv": CALLS + CALL, "cards.csv": CARDS}
    taken(tmp_path, files, progress=Told())
    total = sum(path.stat().st_size for path in (tmp_path / "data").rglob("*.csv"))
    assert {what for what, _, _ in steps} == {"reading records"}
    assert [done for _, done, _ in steps] == sorted(done for _, done, _ in steps)
    assert steps[-1] == ("reading records", total, total)


def test_a_lost_record_is_never_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Quarantine, "add", lambda *_: None)
    with pytest.raises(LostRecords, match=r"calls.csv: 2 records came in, 1 are used and 0 quarantined"):
        taken(tmp_path, {"calls.csv": CALLS + CALL + "x\n"})


def test_broken_files_of_every_kind_in_one_delivery(tmp_path: Path) -> None:
    sample = pl.DataFrame({"card": ["8613800138000"], "day": ["2021-05-17"], "bytes": [1]})
    sample.write_parquet(tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    files: dict[str, str | bytes] = {
        "cards.csv": CARDS,
        "data_days/cut.parquet": whole[:-9],
        "data_days/empty.parquet": b"",
        "data_days/empty.csv": b"",
        "data_days/no.csv.gz": b"not gzip",
        "data_days/header.csv": "card,day,bytes",
        "data_days/lines.csv": "card,day,bytes\n\n8613800138000\n8613800138000,2021-05-18,2\n\0\n",
        "data_days/whole.parquet": whole,
        "data_days/copy.parquet": whole,
        "data_days/unknown.doc": b"?",
    }
    intake = taken(tmp_path, files, holder_key=KEY)
    assert table(intake, "data_days")["bytes"].to_list() == [1, 2]
    assert sorted(reasons(intake)) == ["NUL byte", "empty line"] + ["unreadable file"] * 4 + [
        "wrong column count"
    ]
    assert {f.file: f.unreadable != "" for f in intake.files if f.table == "data_days"} == {
        "data_days/copy.parquet": False,
        "data_days/cut.parquet": True,
        "data_days/empty.csv": True,
        "data_days/empty.parquet": True,
        "data_days/header.csv": False,
        "data_days/lines.csv": False,
        "data_days/no.csv.gz": True,
        "data_days/whole.parquet": False,
    }
    assert [f.duplicate_of for f in intake.files if f.duplicate_of] == ["data_days/copy.parquet"]


def test_reasons_are_short_and_stable() -> None:
    assert len({reason.value for reason in QuarantineReason}) == len(QuarantineReason)
    assert all(len(reason.value) < 30 for reason in QuarantineReason)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = delivered(tmp_path, {"cards.csv": CARDS, "calls.csv": CALLS + CALL})

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(
        UnreadableInput, match=r"calls.csv: Permission denied; check that it exists and may be read"
    ):
        take_in(data, tmp_path / "out")
