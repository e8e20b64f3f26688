"""An engineer's first day: files of unknown form, three commands, a right list; and what was set aside is explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.desk import duanka, new_duanka

_HEADER = "主叫号码,被叫号码,通话类型,开始时间,通话时长,IMEI\n"


def _delivery(folder: Path, *, bad: int = 0) -> Path:
    """A day on which one card calls 300 people, in GB18030; `bad`: records of an impossible time."""
    rows = [
        f"13800138000,139{n:08d},主叫,2021/5/17 {8 + n // 60}:{n % 60:02d},0:00:{n % 50:02d},35490000000000\n"
        for n in range(300)
    ]
    rows += [
        f"139{n:08d},13800138{n:03d},被叫,2021/5/17 9:{n % 60:02d},0:03:26,354900000{n:05d}\n"
        for n in range(1, 200)
    ]
    rows += ["13800138000,13900139000,主叫,yesterday,0:00:01,\n"] * bad
    folder.mkdir()
    (folder / "话单20210517.csv").write_bytes((_HEADER + "".join(rows)).encode("gb18030"))
    return folder


def test_two_commands_lead_from_unknown_files_to_a_list(tmp_path: Path) -> None:
    data, mapping = _delivery(tmp_path / "data"), tmp_path / "operator.toml"
    guessed = new_duanka("mapping", "guess", data, "--out", mapping)
    assert guessed.code == 0, guessed.out + guessed.err
    assert " sure " in guessed.out
    assert f"Next: duanka scan {data} --mapping {mapping}" in guessed.out
    assert "13800138000" not in guessed.out + guessed.err
    assert mapping.stat().st_mode & 0o077 == 0
    scanned = duanka("scan", data, "--mapping", mapping, "--out", tmp_path / "out")
    assert scanned.code == 0, scanned.err
    assert "Scanned 499 records" in scanned.out
    assert "8613800138000" in (tmp_path / "out" / "cards_at_risk.csv").read_text("utf-8-sig")
    again = duanka("mapping", "guess", data, "--out", mapping)
    assert f"What was in {mapping} is now {mapping}.before" in " ".join(again.out.split())


def test_a_trial_and_the_quarantine_say_what_does_not_fit_and_what_to_do(tmp_path: Path) -> None:
    data, mapping = _delivery(tmp_path / "data", bad=30), tmp_path / "operator.toml"
    guessed = duanka("mapping", "guess", data, "--out", mapping)
    assert guessed.code == 3, "5% of the sample does not fit"
    tried = duanka("mapping", "try", data, "--mapping", mapping, "--rows", "2")
    assert tried.code == 3
    assert "bad time" in tried.out
    assert "499 of 529 records fit" in tried.out
    scanned = duanka("scan", data, "--mapping", mapping, "--out", tmp_path / "out")
    assert scanned.code == 3
    shown = new_duanka("quarantine", tmp_path / "out", "--limit", "2")
    assert shown.code == 0, shown.err
    assert re.search(r"bad time +30", shown.out)
    assert "`formats`" in shown.out
    assert shown.out.count("话单20210517.csv:") == 2
    assert "13800138000" not in shown.out
    nothing = duanka("quarantine", tmp_path)
    assert nothing.code == 2
    assert "no quarantine.parquet here" in nothing.err


def test_codes_that_do_not_tell_are_asked_and_the_answer_is_an_option(tmp_path: Path) -> None:
    data = tmp_path / "cdr.csv"
    rows = (f"13800138{n % 7:03d},139{n:08d},{n % 2},2021-05-17 09:{n % 60:02d}:00,{n}\n" for n in range(90))
    data.write_text("msisdn,other_number,call_type,start_time,billsec\n" + "".join(rows))
    asked = duanka("mapping", "guess", data, "--out", tmp_path / "m.toml")
    assert asked.code == 3
    assert "--direction 0=out,1=in" in asked.out
    assert duanka("scan", data, "--mapping", tmp_path / "m.toml").code == 2, "nothing is guessed in silence"
    answered = duanka("mapping", "guess", data, "--out", tmp_path / "m.toml", "--direction", "0=in,1=out")
    assert answered.code == 0, answered.out
    assert 'codes = { 0 = "in", 1 = "out" }' in (tmp_path / "m.toml").read_text()


@pytest.mark.parametrize("words", [("--direction", "0"), ("--times-in", "Peking"), ("--zone", "x")])
def test_answers_that_are_none_are_refused(tmp_path: Path, words: tuple[str, str]) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    refused = duanka("mapping", "guess", tmp_path, *words)
    assert refused.code == 2
    assert len(refused.err.strip().splitlines()) == 1
