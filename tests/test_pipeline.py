"""The main path stops where a record is neither used nor quarantined."""

from __future__ import annotations

from pathlib import Path

import pytest

from duanka.application.scan import Scan, scan_records
from duanka.bootstrap.scan import policy_named
from duanka.domain.errors import LostRecords
from duanka.domain.intake_report import FileAccount, Intake
from duanka.domain.ports import Progress, Silent
from duanka.engine import DuckDBEngine
from duanka.reports.cards_at_risk import CardsAtRisk
from duanka.rules import RULES


def test_a_lost_record_stops_the_scan(tmp_path: Path) -> None:
    def lossy(progress: Progress) -> Intake:
        account = FileAccount("calls.csv", "calls", records=10, used=8, quarantined=1)
        return Intake({}, {}, (account,), tmp_path / "quarantine.parquet")

    scan = Scan(tmp_path, policy_named("national"), RULES, tmp_path)
    with (
        DuckDBEngine(tmp_path / "work") as engine,
        pytest.raises(LostRecords, match=r"calls\.csv: 10 records came in"),
    ):
        scan_records(scan, lossy, engine, [CardsAtRisk(tmp_path / "c.csv", "zh")], Silent())
