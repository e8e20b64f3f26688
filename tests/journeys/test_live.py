"""`duanka live`, as a desk runs it: files land, hits come minute by minute, and the end is that of a scan."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import polars as pl
import pytest

from duanka.simulator import simulate
from support.desk import duanka, hits, started
from support.prepared import Running
from support.waiting import HANG

DAYS = 6
_T = TypeVar("_T")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An invented province of 800 cards over six days."""
    out = tmp_path_factory.mktemp("small") / "province"
    simulate(out, cards=800, days=DAYS, seed=4)
    return out


@pytest.fixture(scope="module")
def scanned(small: Path) -> Path:
    """What a scan makes of it."""
    out = small.parent / "scan"
    assert duanka("scan", small, "--out", out).code == 0
    return out


def _lists(province: Path) -> tuple[str, Path]:
    return "--lists", province / "world.toml"


def _delivered(province: Path, inbox: Path) -> None:
    """Everything but the truth lies in the inbox."""
    shutil.copytree(province, inbox, ignore=shutil.ignore_patterns("truth.parquet", "world.toml"))


def _section(html: str, name: str) -> str:
    found = re.search(rf'<section id="{name}".*?</section>', html, re.DOTALL)
    assert found is not None
    return found[0]


def _tiers(html: str) -> list[str]:
    """What is said of each tier: cards, action, rates."""
    return re.findall(r'<th scope="row"><span class="tier">.*?</tr>', html, re.DOTALL)


def test_once_ends_with_the_hits_and_the_list_of_a_scan(small: Path, scanned: Path, tmp_path: Path) -> None:
    _delivered(small, tmp_path / "in")
    typed = duanka("live", "--inbox", tmp_path / "in", "--once", *_lists(small), "--out", tmp_path / "out")
    assert typed.code == 0, typed.err
    assert hits(tmp_path / "out") == hits(scanned)
    list_of_scan = (scanned / "cards_at_risk.csv").read_text()
    assert (tmp_path / "out" / "cards_at_risk.csv").read_text() == list_of_scan
    assert _asked(tmp_path / "out") == _asked(scanned), "and with its decisions"
    assert "records in" in typed.out
    report, report_of_scan = (
        (out / "report.html").read_text(encoding="utf-8") for out in (tmp_path / "out", scanned)
    )
    for section in ("figures", "cards"):
        assert _section(report, section) == _section(report_of_scan, section)
    assert _tiers(report) == _tiers(report_of_scan)
    assert "briefing on live records" in report
    assert "not counted here" in _section(report, "records")
    again = duanka("live", "--inbox", tmp_path / "in", "--once", *_lists(small), "--out", tmp_path / "out")
    assert re.search(r"records in +0\b", again.out), again.out
    assert (tmp_path / "out" / "cards_at_risk.csv").read_text() == list_of_scan


def test_files_land_day_by_day_and_a_kill_loses_nothing(small: Path, scanned: Path, tmp_path: Path) -> None:
    inbox, out = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    words = (
        "--inbox",
        inbox,
        *_lists(small),
        "--out",
        out,
        "--metrics",
        "0",
        "--pace",
        "0",
        "--batch-seconds",
        "0.5",
    )
    days = sorted({p.stem for p in (small / "calls").glob("*.parquet")})
    assert len(days) == DAYS
    _register_lands(small, inbox)
    # The first day of every table lies there: a source that first delivers when its day was judged is late with it.
    _day_lands(small, inbox, days[0])
    with _running(*words) as (run, said):
        for day in days[1:3]:
            _day_lands(small, inbox, day)
        _until(partial(_told, out), "hits are told")
        url = _until(lambda: _metrics_url(said), "the address of the metrics")
        _until(lambda: _metric(url, "duanka_records_total") > 0, "records are counted")
        with urllib.request.urlopen(f"{url}/healthz", timeout=HANG) as answer:  # noqa: S310  # our own, on loopback
            assert json.load(answer)["status"] == "ok"
        run.kill()
    told = _told(out)
    with _running(*words) as (run, _):
        for day in days[3:]:
            _day_lands(small, inbox, day)
        _until(lambda: len(_told(out)) > len(told), "more hits are told")
        run.send_signal(signal.SIGTERM)
        assert run.wait(HANG) == 0
    typed = duanka("live", "--inbox", inbox, "--once", *_lists(small), "--out", out)
    assert typed.code == 0, typed.err
    assert hits(out) == hits(scanned)
    lines = _told(out)
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1)), "each change once"
    assert _standing(lines) == {(h["card"], h["rule"], str(h["seen_at"])) for h in hits(scanned)}


def test_a_rule_in_shadow_runs_live_and_asks_nothing_of_anybody(small: Path, tmp_path: Path) -> None:
    _delivered(small, tmp_path / "in")
    words = ("live", "--inbox", tmp_path / "in", "--once", *_lists(small), "--out", tmp_path / "out")
    typed = duanka(*words, "--shadow", "fan_out")
    assert typed.code == 0, typed.err
    assert "In shadow: fan_out" in typed.out
    assert duanka("scan", small, "--shadow", "fan_out", "--out", tmp_path / "scan").code == 0
    for name in ("cards_at_risk.csv",):
        assert (tmp_path / "out" / name).read_text() == (tmp_path / "scan" / name).read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give --inbox DIR or --nats URL"),
        (("--inbox", "nowhere"), "no such directory"),
        (("--inbox", ".", "--nats", "nats://127.0.0.1:1"), "give --inbox DIR or --nats URL"),
        (("--inbox", ".", "--lateness", "soon"), "write it like 90s, 30m, 2h or 3d"),
        (("--inbox", ".", "--shadow", "nothing"), "no rule 'nothing'"),
    ],
)
def test_wrong_use_is_said_in_one_line(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    typed = duanka("live", *words, "--out", tmp_path / "out", cwd=tmp_path)
    assert typed.code == 2
    assert said in typed.err
    assert "Traceback" not in typed.err


def test_two_runs_on_one_state_are_one_too_many(small: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    words = ("--inbox", tmp_path / "in", "--out", tmp_path / "out")
    with _running(*words):
        _until((tmp_path / "out" / "hits.jsonl").exists, "the first one holds the state")
        typed = duanka("live", *words)
    assert typed.code == 2
    assert "in use by another duanka live" in typed.err


@contextmanager
def _running(*words: str | Path) -> Iterator[tuple[Running, Path]]:
    """A live run in a process of its own, ended by its pid; what it says is in the file."""
    said = Path(str(words[words.index("--out") + 1])).with_suffix(".said")
    with said.open("a") as file:
        run = started("live", *words, out=file, err=file)
        try:
            yield run, said
        finally:
            if run.poll() is None:
                run.kill()
            run.wait()


def _register_lands(province: Path, inbox: Path) -> None:
    for path in province.glob("*.parquet"):
        if path.name != "truth.parquet":
            _lands(path, inbox / path.name)


def _day_lands(province: Path, inbox: Path, day: str) -> None:
    for table in ("calls", "messages", "sightings", "data_days"):
        path = province / table / f"{day}.parquet"
        if path.exists():
            _lands(path, inbox / table / path.name)


def _lands(path: Path, to: Path) -> None:
    """As a careful producer does it: written aside, then renamed."""
    to.parent.mkdir(exist_ok=True)
    aside = to.with_name(f".{to.name}")
    shutil.copy(path, aside)
    aside.rename(to)


def _told(out: Path) -> list[dict[str, object]]:
    path = out / "hits.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def _standing(lines: list[dict[str, object]]) -> set[tuple[object, object, str]]:
    """The hits that stand when the changes are read from the first to the last; a police case is none."""
    standing: set[tuple[object, object, str]] = set()
    for line in (one for one in lines if one["rule"] != "police_confirmed"):
        key = (line["card"], line["rule"], str(line["seen_at"]).replace("T", " "))
        if line["kind"] == "revoked":
            standing.discard(key)
        else:
            standing.add(key)
    return standing


def _asked(out: Path) -> dict[str, tuple[str, str]]:
    """Card -> tier and action, as decisions.jsonl says them last; cards of whom nothing is asked left out."""
    lines = [json.loads(line) for line in (out / "decisions.jsonl").read_text().splitlines()]
    last = {line["card"]: line for line in lines}
    return {card: (line["tier"], line["action"]) for card, line in last.items() if line["reasons"]}


def _metrics_url(said: Path) -> str | None:
    found = re.search(r"Metrics: (\S+)/metrics", said.read_text())
    return found[1] if found else None


def _metric(url: str, name: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=HANG) as answer:  # noqa: S310  # our own, on loopback
        text = answer.read().decode()
    values = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, values))


def _until(found: Callable[[], _T | None], what: str) -> _T:
    for _ in range(10 * int(HANG)):
        value = found()
        if value:
            return value
        time.sleep(0.1)
    pytest.fail(f"it took for ever until {what}")


def test_the_small_province_has_hits_of_several_kinds(scanned: Path) -> None:
    assert pl.read_parquet(scanned / "hits.parquet")["rule"].n_unique() > 5
