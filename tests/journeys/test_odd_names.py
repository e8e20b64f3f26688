"""Names of any bytes on the command line's way: folders, files and what stands in an inbox instead of files."""

from __future__ import annotations

import os
import signal
import subprocess
import sysconfig
from pathlib import Path

import polars as pl

from support.desk import ENGLISH, duanka
from support.waiting import HANG, until

# the command as it is installed, in an environment that says nothing of UTF-8
DUANKA = Path(sysconfig.get_path("scripts")) / "duanka"
CALLS = "card,peer,direction,started_at\n8613800138000,8613900139000,out,2021-05-03 09:00:00\n"
ODD = os.fsdecode("话单".encode("gbk"))
SHOWN = r"\xbb\xb0\xb5\xa5"


def delivered(folder: Path) -> Path:
    data = folder / ODD
    (data / "calls").mkdir(parents=True)
    (data / "cards.csv").write_text("card\n8613800138000\n")
    (data / f"calls/{ODD}.csv").write_text(CALLS + "bad,row,x,y\n")
    return data


def test_a_scan_of_names_that_are_no_text(tmp_path: Path) -> None:
    delivered(tmp_path)
    done = subprocess.run(
        [str(DUANKA), "scan", ODD],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
        env={**os.environ, **ENGLISH},
    )
    assert (done.returncode, done.stderr) == (3, "") or "set aside" in done.stderr + done.stdout
    out = tmp_path / "duanka-out"  # not inside: the engine needs paths of text
    assert pl.read_parquet(out / "quarantine.parquet")["file"].to_list() == [f"calls/{SHOWN}.csv"]
    assert SHOWN in (out / "report.html").read_text("utf-8")
    refused = duanka("scan", ODD, "--out", ODD + "-out", cwd=tmp_path)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "the path is no UTF-8, which the engine needs; choose another folder" in refused.err


def test_a_live_run_of_names_that_are_no_text_ends_when_told_to(tmp_path: Path) -> None:
    data = delivered(tmp_path)
    (data / "messages.csv").symlink_to("/dev/zero")
    os.mkfifo(data / "cases.csv")
    log = tmp_path / "log"
    with log.open("wb") as said:
        run = subprocess.Popen(
            [DUANKA, "live", "--inbox", data, "--out", "out"], cwd=tmp_path, stdout=said, stderr=said
        )
    try:
        until(lambda: "cases.csv is set aside" in log.read_text() or run.poll() is not None)
        until(lambda: "messages.csv is set aside" in log.read_text() or run.poll() is not None)
        run.send_signal(signal.SIGTERM)
        assert run.wait(HANG) == 0, log.read_text()
    finally:
        run.kill()
        run.wait()
    rest = duanka("live", "--inbox", ODD, "--out", "out", "--once", cwd=tmp_path)  # what it had not handed on
    assert rest.code == 0, rest.err
    aside = pl.read_parquet(tmp_path / "out/quarantine.parquet").sort("file")
    assert aside["file"].to_list() == [f"calls/{SHOWN}.csv", "cases.csv", "messages.csv"]
    refused = duanka("live", "--inbox", ODD, "--out", ODD + "-out", "--once", cwd=tmp_path)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
