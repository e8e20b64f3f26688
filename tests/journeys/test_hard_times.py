"""What a desk meets on a bad day: wrong policies, narrow terminals, interruptions, two scans at once."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from duanka.bootstrap.scan import working_folder
from duanka.domain.errors import MAKE_ROOM
from duanka.rules import RULES
from support.desk import ENGLISH, cards_at_risk, duanka, flagged, hits, started, without_progress
from support.waiting import HANG, until

WRITTEN = {
    "hits.parquet",
    "cards_at_risk.csv",
    "cards_at_risk.xlsx",
    "decisions.jsonl",
    "quarantine.parquet",
    "report.html",
}
HEAD = """
[policy]
id = "own"
title = "t"
title_en = "t"
authority = "A"
grade = "S1"
since = 2021-06-02
[deciding]
mode = "weigh"
medium = 3
high = 6
"""


def _data(folder: Path, **tables: list[str]) -> Path:
    """Write each table (its lines, the header first) as CSV; a register and a call where none are given."""
    calls = [
        "card,peer,direction,started_at,answered",
        "8613800000001,8613900000001,out,2021-05-17 09:00:00,true",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in {"cards": ["card", "8613800000001"], "calls": calls, **tables}.items():
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _policy(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def test_a_full_data_plan_is_counted_whatever_the_limit(tmp_path: Path) -> None:
    """3,000 MB are more bytes than 32 bits hold."""
    data = _data(
        tmp_path / "data",
        cards=["card,kind", "8613800000001,iot", "8613800000002,iot"],
        data_days=[
            "card,day,bytes",
            "8613800000001,2021-05-17,3000000001",
            "8613800000002,2021-05-17,3000000000",
        ],
    )
    policy = _policy(tmp_path, "[rules.iot_misuse]\nlimits.max_mb = 3000\nlimits.max_voice = 9\n")
    typed = duanka("scan", data, "--policy", policy)
    assert typed.code == 0, typed.err
    assert flagged(data / "duanka-out", "iot_misuse") == {"8613800000001"}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_chinese_gets_its_answer(encoding: str) -> None:
    typed = duanka("rules", "list", PYTHONIOENCODING=encoding, LC_ALL="C", PYTHONUTF8="0")
    assert typed.code == 0, typed.err
    assert "over_frequency" in typed.out


def test_brackets_in_a_file_are_text(tmp_path: Path) -> None:
    limit = 'limits.max_calls = { value = 60, authority = "the [/city] office", grade = "S2" }'
    policy = _policy(tmp_path, f"[rules.over_frequency]\n{limit}\n")
    typed = duanka("rules", "show", "over_frequency", "--policy", policy)
    assert typed.code == 0, typed.err
    assert "the [/city] office" in typed.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--as-of", "2021-05-17"], "the records begin at 2021-05-17"),
        (["--memory", "999999999TB"], "from 400MB"),
        (["--max-bad", "1%%"], "write it like 1%"),
        (["--out", "data", "--mapping", "any.toml"], "lies among the records"),
        (["--out", "data/calls"], "lies among the records"),
        (["--out", "taken"], "hits.parquet is a folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_meant_is_one_clear_line(tmp_path: Path, words: list[str], says: str) -> None:
    _data(tmp_path / "data")
    (tmp_path / "taken" / "hits.parquet").mkdir(parents=True)
    typed = duanka("scan", "data", *words, cwd=tmp_path)
    assert (typed.code, typed.err.count("\n")) == (2, 1), typed.err
    assert says in typed.err


@pytest.mark.parametrize("threads", ["0", "99999"])
def test_threads_that_no_machine_has_are_refused(tmp_path: Path, threads: str) -> None:
    typed = duanka("scan", _data(tmp_path / "data"), DUANKA_THREADS=threads)
    assert (typed.code, typed.err.count("\n")) == (2, 1), typed.err
    assert "DUANKA_THREADS" in typed.err


def test_a_now_far_behind_the_records_is_said(tmp_path: Path) -> None:
    data = _data(tmp_path / "data")
    assert "--as-of lies" not in duanka("scan", data, "--as-of", "2021-05-18").out
    assert (
        "--as-of lies 28,841 days after the last record" in duanka("scan", data, "--as-of", "2100-05-05").out
    )


def test_a_scan_that_breaks_off_leaves_the_earlier_files(tmp_path: Path) -> None:
    data = _data(tmp_path / "data", complaints=["card,reported_at", "8613800000001,2021-05-17 09:00:00"])
    assert duanka("scan", data).code == 0
    before = {path.name: path.read_bytes() for path in (data / "duanka-out").iterdir()}
    (data / "cards.csv").write_text("card\n8613800000001\n8613800000002\n")
    # the engine has written hits by the time the page cannot be set
    code = (
        "import sys, duanka.reports.page as page, duanka.cli.main as cli\n"
        "def full(*_, **__): raise OSError(28, 'No space left on device')\n"
        f"page.write_page, sys.argv = full, ['duanka', 'scan', {str(data)!r}]\ncli.main()"
    )
    english = {**os.environ, **ENGLISH}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=english
    )
    assert (ran.returncode, ran.stderr) == (2, f"duanka: No space left on device{MAKE_ROOM}\n")
    assert {path.name: path.read_bytes() for path in (data / "duanka-out").iterdir()} == before


def test_what_a_killed_run_left_behind_goes_with_the_next(tmp_path: Path) -> None:
    data, out = _data(tmp_path / "data"), tmp_path / "out"
    script = (
        "from pathlib import Path\nimport os, signal\nfrom duanka.bootstrap.scan import working_folder\n"
        f"with working_folder(Path({str(out)!r})) as work:\n"
        "    (work / 'half.parquet').write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    assert list(out.glob(".duanka-work-*/half.parquet"))
    with working_folder(out) as at_work:  # another scan, not yet done
        assert duanka("scan", data, "--out", out).code == 0
        assert {path.name for path in out.iterdir()} == WRITTEN | {at_work.name}
    assert {path.name for path in out.iterdir()} == WRITTEN


def _busy(folder: Path) -> Path:
    """A card that calls once a minute for two hours; its times carry an offset."""
    calls = [f"8613800000001,86139{n:08},out,2021-05-17T{1 + n // 60:02}:{n % 60:02}:00Z" for n in range(120)]
    return _data(folder, calls=["card,peer,direction,started_at", *calls])


def test_two_scans_into_one_folder_do_not_mix(tmp_path: Path) -> None:
    data = _busy(tmp_path / "data")
    with (tmp_path / "printed").open("w") as printed, (tmp_path / "said").open("w") as said:
        runs = [started("scan", data, "--out", tmp_path / "out", out=printed, err=said) for _ in range(2)]
        assert [run.wait(HANG) for run in runs] == [0, 0]
    assert without_progress((tmp_path / "said").read_text()) == ""
    assert {path.name for path in (tmp_path / "out").iterdir()} == WRITTEN
    assert [row["rules"] for row in cards_at_risk(tmp_path / "out")] == ["outgoing_only"]


def test_an_interruption_is_one_line_and_leaves_nothing(small_province: Path, tmp_path: Path) -> None:
    for number in itertools.count():
        out = tmp_path / f"out-{number}"
        with (tmp_path / "printed").open("w") as printed, (tmp_path / "said").open("w") as said:
            run = started("scan", small_province, "--out", out, out=printed, err=said)
            until(lambda out=out: any(out.glob(".duanka-work-*/engine")))  # type: ignore[misc]
            run.send_signal(signal.SIGINT)
            ended = run.wait(HANG)
        if ended != 0:  # else it was over before we saw that it had begun
            break
    assert (ended, (tmp_path / "printed").read_text()) == (130, "")
    interrupted = "duanka: interrupted; what an earlier scan wrote is as it was\n"
    assert without_progress((tmp_path / "said").read_text()) == interrupted
    assert not out.exists()


def test_time_zone_of_the_machine_changes_nothing(tmp_path: Path) -> None:
    data = _busy(tmp_path / "data")
    for zone in ("UTC", "America/New_York"):
        assert duanka("scan", data, "--out", tmp_path / zone, TZ=zone).code == 0
    assert hits(tmp_path / "UTC") == hits(tmp_path / "America" / "New_York")
    assert [hit["seen_at"] for hit in hits(tmp_path / "UTC")] == [datetime(2021, 5, 17)]


def test_an_area_without_a_title_is_named_by_its_code(tmp_path: Path) -> None:
    data = _data(
        tmp_path / "data",
        cards=["card,home_city", "8613800000001,990101"],
        calls=["card,peer,direction,started_at,city", "8613800000001,95588,out,2021-05-17 09:00:00,990201"],
    )
    (data / "world.toml").write_text(
        '[[lists.high_risk_areas]]\ncity = "9902"\nauthority = "A"\nsince = 2021-01-01\nuntil = 2021-12-31\n'
    )
    assert duanka("scan", data, "--policy", "hebei", "--language", "en").code == 0
    (row,) = cards_at_risk(data / "duanka-out")
    assert row["reasons"] == "roamed into 9902, listed as high-risk by A"


def test_alerts_on_three_days_are_found_in_files(tmp_path: Path) -> None:
    calls = [
        f"8613800000001,86139{n:08},out,2021-05-{day} 09:{n // 2:02}:{n % 2 * 30:02}"
        for day in (10, 12, 17)
        for n in range(61)
    ]
    data = _data(tmp_path / "data", calls=["card,peer,direction,started_at", *calls])
    assert duanka("scan", data).code == 0
    assert flagged(data / "duanka-out", "repeat_alerts") == {"8613800000001"}


def test_when_no_record_can_be_used_the_commonest_reason_is_said(tmp_path: Path) -> None:
    rows = [f"8613800000001,95588,out,17th of May {n}" for n in range(3)]
    data = _data(tmp_path / "data", calls=["card,peer,direction,started_at", *rows])
    typed = duanka("scan", data)
    assert (typed.code, typed.err.count("\n")) == (2, 1), typed.err
    assert "bad time in column started_at of calls.csv, first on line 2" in typed.err


def test_a_short_key_for_document_numbers_is_refused(tmp_path: Path) -> None:
    data = _data(tmp_path / "data", cards=["card,holder", "8613800000001,11010519491231002X"])
    typed = duanka("scan", data, DUANKA_HOLDER_KEY="sesame")
    assert (typed.code, typed.err.count("\n")) == (2, 1), typed.err
    assert "DUANKA_HOLDER_KEY" in typed.err
    assert "sesame" not in typed.err


def test_a_shipped_mapping_is_found_by_its_name(tmp_path: Path) -> None:
    assert duanka("scan", _data(tmp_path / "data"), "--mapping", "native", cwd=tmp_path).code == 0


def test_ids_are_whole_on_a_narrow_terminal() -> None:
    shown = duanka("rules", "list", COLUMNS="60").out.splitlines()
    assert [line.split()[0] for line in shown[2:]] == [rule.id for rule in RULES]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (pl.col("fraud").cast(pl.Int8), "fraud must be true or false"),
        (pl.lit(None, pl.Boolean).alias("fraud"), "fraud must be true or false"),
        (pl.col("card").cast(pl.Int64), "card must be text"),
        (pl.lit("8613800000001").alias("card"), "one row for each card"),
        (("9" + pl.col("card")).alias("card"), "none of the cards"),
    ],
    ids=["number", "unknown", "card", "twice", "other"],
)
def test_a_truth_that_leaves_cards_open_is_refused(
    national: Path, province: Path, tmp_path: Path, change: pl.Expr, says: str
) -> None:
    truth = pl.read_parquet(province / "truth.parquet").with_columns(change)
    truth.write_parquet(tmp_path / "truth.parquet")
    typed = duanka("evaluate", national, "--truth", tmp_path / "truth.parquet")
    assert (typed.code, typed.err.count("\n")) == (2, 1), typed.err
    assert says in typed.err


@pytest.mark.parametrize("found", ["[]", '{"R1.1": {"test": "passed"}}'])
def test_results_of_another_kind_are_refused(tmp_path: Path, found: str) -> None:
    (tmp_path / "results.json").write_text(found)
    typed = duanka("spec", "--results", tmp_path / "results.json")
    assert (typed.code, typed.err.count("\n")) == (2, 1), typed.err
    assert "make test" in typed.err
