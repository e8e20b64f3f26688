"""The same commands on machines in three zones: the same records used, the same times shown and stored."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support import ROOT
from support.desk import ENGLISH, duanka, hits
from support.parts import needed
from support.switches import missing
from support.waiting import HANG

MACHINES = ("UTC", "America/Lima", "Asia/Shanghai")


def _last_hour(folder: Path, offset: timedelta) -> None:
    """Sixty calls of the last hour, as the operator's clock shows it."""
    folder.mkdir()
    now = datetime.now(UTC).replace(tzinfo=None) + offset
    lines = ["card,peer,direction,started_at,seconds"]
    lines += [
        f"8613800138000,861390013{n:04},out,{now - timedelta(minutes=n):%Y-%m-%d %H:%M:%S},60"
        for n in range(60)
    ]
    (folder / "calls.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(("zone", "hours"), [("Asia/Shanghai", 8), ("America/Lima", -5)])
def test_records_of_the_last_hour_are_used_in_every_zone(zone: str, hours: int, tmp_path: Path) -> None:
    _last_hour(tmp_path / "in", timedelta(hours=hours))
    national = (Path(__file__).parents[2] / "policies" / "national.toml").read_text(encoding="utf-8")
    here = national.replace("[orders]\n", f'[orders]\nzone = "{zone}"\n', 1)
    assert here != national
    (tmp_path / "here.toml").write_text(here, encoding="utf-8")
    found = set()
    for machine in MACHINES:
        out = tmp_path / machine.replace("/", "-")
        typed = duanka(
            "live",
            "--inbox",
            tmp_path / "in",
            "--policy",
            tmp_path / "here.toml",
            "--out",
            out,
            "--once",
            TZ=machine,
        )
        assert typed.code == 0, typed.err
        assert re.search(r"used +60\b", typed.out), (machine, typed.out)
        assert "ahead of the clock" not in typed.out
        found.add(str(hits(out)))
    assert len(found) == 1


@pytest.mark.requirement("R7")
def test_a_card_in_the_network_has_the_same_moments_on_every_machine(tmp_path: Path) -> None:
    needed(missing())
    program = ROOT / "tests/support/journeys/network_moments.py"
    running = [
        subprocess.Popen(
            [sys.executable, str(program), str(tmp_path / machine.replace("/", "-"))],
            env={
                "PATH": "/usr/bin:/bin:/usr/sbin",
                "PYTHONPATH": str(ROOT / "tests"),
                "TZ": machine,
                **ENGLISH,
            },
            stdout=subprocess.PIPE,
        )
        for machine in MACHINES
    ]
    said = [one.communicate(timeout=HANG)[0] for one in running]
    assert [one.returncode for one in running] == [0, 0, 0]
    moments, *others = map(json.loads, said)
    for other in others:
        assert other == moments
    assert moments["shown"] == ["2026-03-02 23:30:00+08:00", "2026-03-04 23:32:00+08:00"]
    assert {"2026年3月3日23:30", "2026年3月3日23:31", "2026年3月4日23:32"} <= set(moments["told"])
    assert all(moments["stored"].values())


def test_a_time_that_is_typed_wrongly_is_answered_with_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    typed = duanka("scan", tmp_path / "data", "--as-of", "2021-13-40", "--out", tmp_path / "out")
    assert typed.code == 2
    assert "like 2026-12-31, 2026-12-31T18:00" in " ".join(typed.err.split())
    assert "%Y" not in typed.err
