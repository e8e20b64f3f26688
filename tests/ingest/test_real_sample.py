"""The foreign format of the SIM-box sample, on the file where it lies."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl

from duanka.ingest import take_in
from support.ingest.deliveries import quarantined, shipped, table


def test_all_333_records_are_used(shared: Path, tmp_path: Path) -> None:
    sample = shared / "data" / "simbox_sample"
    intake = take_in(sample, tmp_path / "out", mapping=shipped("simbox_sample"))
    assert quarantined(intake) == []
    (account,) = intake.files
    assert (account.table, account.records, account.used) == ("calls+messages", 333, 333)
    calls, messages = table(intake, "calls"), table(intake, "messages")
    assert (len(calls), len(messages)) == (162, 171)
    assert calls.row(0, named=True) == {
        "card": "8800",
        "peer": "167006",
        "direction": "out",
        "started_at": datetime(2024, 4, 22, 13, 54, 51),
        "seconds": 18,
        "answered": None,
        "imei": "5391",
        "cell": "7585772",
        "city": None,
        "forwarded_from": None,
    }
    everyone = pl.concat([calls["card"], messages["card"]])
    assert everyone.n_unique() == 10
    peers = pl.concat([calls["peer"], messages["peer"]])
    assert len(peers.filter(peers.str.starts_with("short:"))) == 17
    assert intake.columns["calls"] == {"card", "peer", "direction", "started_at", "seconds", "imei", "cell"}


def test_the_answer_is_not_read(shared: Path, tmp_path: Path) -> None:
    mapping = shipped("simbox_sample")
    assert all("is_fraud" not in source.reads for source in mapping.sources)
    intake = take_in(shared / "data" / "simbox_sample", tmp_path / "out", mapping=mapping)
    assert "is_fraud" in intake.ignored["TEST_DATASET.CSV"]


def test_one_file_alone_will_do(shared: Path, tmp_path: Path) -> None:
    file = shared / "data" / "simbox_sample" / "TEST_DATASET.CSV"
    assert take_in(file, tmp_path / "out", mapping=shipped("simbox_sample")).used == 333
