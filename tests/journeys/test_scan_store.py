"""A scan into a store as a person meets it: night after night, replaced files, a kill, two at once, what is refused."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path

import polars as pl
import pytest

from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.scan import scan
from duanka.bootstrap.settings import load_settings
from duanka.domain.errors import DuankaError
from duanka.domain.ports import Silent
from duanka.engine.store.manifest import FileKind, missing, read_manifest
from duanka.reports import page
from duanka.simulator import simulate
from support import ROOT
from support.desk import Typed, cards_at_risk, duanka, hits, started, started_anew
from support.journeys.nightly_deliveries import RECORDS, bring, scanned_anew

_DAYS = ("2021-05-03", "2021-05-04", "2021-05-05", "2021-05-06")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An invented town over four days."""
    folder = tmp_path_factory.mktemp("town") / "town"
    simulate(folder, cards=300, days=len(_DAYS), seed=5)
    return folder


@pytest.mark.requirement("R3")
@pytest.mark.requirement("R10")
def test_night_after_night_the_lists_are_those_of_a_scan_of_all(town: Path, tmp_path: Path) -> None:
    data, store, out = tmp_path / "data", tmp_path / "store", tmp_path / "out"
    for night, (days, but) in enumerate([(2, 1.0), (3, 0.5), (3, 1.0), (3, 1.0), (4, 1.0)]):
        bring(
            town, data, *_DAYS[:days], but=but
        )  # the third day comes half, and the next night replaced, whole
        typed = duanka("--language", "en", "scan", data, "--store", store, "--out", out)
        assert typed.code in (0, 3), typed.err
        assert hits(out) == scanned_anew(data, tmp_path / f"anew-{night}")
        assert cards_at_risk(out) == cards_at_risk(tmp_path / f"anew-{night}")
    assert store.stat().st_mode & 0o777 == 0o700
    told = duanka("--language", "en", "store", "status", store)
    assert told.code == 0
    assert "7,915" in told.out or "call " in told.out


def test_nothing_new_costs_no_records_and_says_the_same(town: Path, tmp_path: Path) -> None:
    data, store, out = tmp_path / "data", tmp_path / "store", tmp_path / "out"
    bring(town, data, *_DAYS[:2])
    assert duanka("scan", data, "--store", store, "--out", out).code in (0, 3)
    before, generation = hits(out), read_manifest(store).generation
    again = duanka("--language", "en", "scan", data, "--store", store, "--out", out)
    assert again.code == 0, again.err
    assert "Took in 0 new records" in again.out
    assert hits(out) == before
    assert read_manifest(store).generation == generation + 1
    held = sum(count for days in read_manifest(store).days.values() for count, _ in days.values())
    for table in RECORDS:  # what was delivered may be gone
        shutil.rmtree(data / table)
    registers = duanka("--language", "en", "scan", data, "--store", store, "--out", out)
    assert registers.code == 0, registers.err
    assert f"the store holds {held:,} records" in " ".join(registers.out.split())
    assert hits(out) == before


def _killed_scans(town: Path, tmp_path: Path, rounds: int) -> None:
    data, store, out = tmp_path / "data", tmp_path / "store", tmp_path / "out"
    chance = random.Random(rounds)
    bring(town, data, *_DAYS[:2])
    assert duanka("scan", data, "--store", store, "--out", out).code in (0, 3)
    bring(town, data, *_DAYS)
    expected = scanned_anew(data, tmp_path / "anew")
    whole = tmp_path / "whole"
    shutil.copytree(store, whole)
    begun = time.monotonic()
    assert duanka("scan", data, "--store", whole, "--out", tmp_path / "out-whole").code in (0, 3)
    takes = time.monotonic() - begun
    for _ in range(rounds):
        work = tmp_path / "attempt"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(store, work)
        with (tmp_path / "said").open("wb") as said:
            run = started("scan", data, "--store", work, "--out", out, out=said, err=said)
            time.sleep(chance.uniform(0, takes * 1.1))
            run.send_signal(signal.SIGKILL)
            run.wait()
        manifest = read_manifest(work)
        assert missing(work, manifest.files) is None
        assert manifest.generation in (1, 2), "as before, or after"
        assert duanka("scan", data, "--store", work, "--out", out).code in (0, 3)
        assert hits(out) == expected


@pytest.mark.waits
def test_killed_at_any_moment_the_store_is_as_before_or_after(town: Path, tmp_path: Path) -> None:
    _killed_scans(town, tmp_path, rounds=4)


@pytest.mark.long
@pytest.mark.waits
def test_killed_fifty_times(town: Path, tmp_path: Path) -> None:
    _killed_scans(town, tmp_path, rounds=50)


@pytest.mark.waits
def test_of_two_scans_the_second_waits_and_says_so(town: Path, tmp_path: Path) -> None:
    data, store = tmp_path / "data", tmp_path / "store"
    bring(town, data, *_DAYS[:2])
    runs = []
    for number in range(2):
        with (tmp_path / f"said-{number}").open("wb") as said:
            out = tmp_path / f"out-{number}"
            runs.append(started_anew("scan", data, "--store", store, "--out", out, out=said, err=said))
    assert {run.wait() for run in runs} <= {0, 3}
    assert read_manifest(store).generation == 2
    assert hits(tmp_path / "out-0") == hits(tmp_path / "out-1") == scanned_anew(data, tmp_path / "anew")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--store", "data/store"), "lies among the records"),
        (("--store", "taken"), "is not empty and holds no store"),
        (("--store", "file"), "is a file"),
        (("--store", "new", "--as-of", "2021-05-04 00:00"), "--as-of is for a scan without --store"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    town: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    bring(town, tmp_path / "data", _DAYS[0])
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("precious")
    (tmp_path / "file").write_text("precious")
    typed = duanka("--language", "en", "scan", "data", "--out", "out", *words, cwd=tmp_path)
    assert typed.code == 2
    assert said in typed.err.replace("\n", " ")
    assert (tmp_path / "taken" / "mine.txt").read_text() == "precious"
    assert not (tmp_path / "new").exists()


def test_a_file_of_which_nothing_could_be_used_is_read_again(town: Path, tmp_path: Path) -> None:
    data, store, out = tmp_path / "data", tmp_path / "store", tmp_path / "out"
    bring(town, data, *_DAYS[:1])
    bad = data / "calls" / "2021-05-04.csv"
    bad.write_text("card,peer,direction,started_at\n8613800000001,x,up,yesterday\n")
    for _ in range(2):
        assert _night(data, store, out).code in (0, 3)
        aside = pl.read_parquet(out / "quarantine.parquet")["file"].to_list()
        assert "calls/2021-05-04.csv" in aside, "each night names it, until it is mended"
        assert bad.name not in {Path(file.name).name for file in read_manifest(store).delivered}


def _night(data: Path, store: Path, out: Path, *words: str) -> Typed:
    return duanka("--language", "en", "scan", data, "--store", store, "--out", out, *words)


@pytest.mark.parametrize(
    "bad", ["card,peer\nx,y\n", "card,peer,direction,started_at\n8613800000001,x,up,z\n", ""]
)
def test_what_can_never_be_used_is_told_once_by_the_exit_code(bad: str, town: Path, tmp_path: Path) -> None:
    """Then by a line each night, until it changes: else nobody looks at the exit code of a real fault."""
    data, store, out = tmp_path / "data", tmp_path / "store", tmp_path / "out"
    bring(town, data, *_DAYS[:1])
    assert _night(data, store, out).code == 0
    file = data / "calls" / "2021-05-04.csv"
    file.write_text(bad)
    first, second = _night(data, store, out), _night(data, store, out)
    assert (first.code, second.code) == (3, 0), first.err + second.err
    assert "Still not to be used" not in first.out
    assert "Still not to be used" in second.out
    mornings = [duanka("morning", data, "--store", store, "--out", tmp_path / "m", "--day", _DAYS[0]).code]
    file.write_text(bad + "8613800000002,x\n")
    mornings.append(
        duanka("morning", data, "--store", store, "--out", tmp_path / "m", "--day", _DAYS[0]).code
    )
    assert mornings == [0, 3], "the file is another one now"
    shutil.copy(data / "calls" / f"{_DAYS[0]}.csv", file)
    file.write_text(file.read_text().replace("2021-05-03", "2021-05-04"))
    mended = _night(data, store, out)
    assert (mended.code, "Still not to be used" in mended.out) == (0, False)
    assert not read_manifest(store).unusable


def test_what_the_policy_purged_is_named(town: Path, tmp_path: Path) -> None:
    data, store, policy = tmp_path / "data", tmp_path / "store", tmp_path / "short.toml"
    national = (ROOT / "policies" / "national.toml").read_text(encoding="utf-8")
    policy.write_text(f"{national}\n[store]\nkeep_records_days = 2\n", encoding="utf-8")
    bring(town, data, *_DAYS[:2])
    first = _night(data, store, tmp_path / "out", "--policy", str(policy))
    assert "Purged" not in first.out
    bring(town, data, *_DAYS)
    told = " ".join(_night(data, store, tmp_path / "out", "--policy", str(policy)).out.split())
    assert "Purged the records of 2 day(s), as the policy keeps 2: 2021-05-03, 2021-05-04" in told
    assert "Purged the rollups" not in told


def _late_file(path: Path, calls: int) -> None:
    rows = [f"8613800138001,86139001{n:05},out,{_DAYS[0]} 09:{n:02}:00,9,true\n" for n in range(calls)]
    path.write_text("card,peer,direction,started_at,seconds,answered\n" + "".join(rows))


def test_records_too_old_for_the_store_are_told_of_as_such(town: Path, tmp_path: Path) -> None:
    """Not as quarantined: `duanka quarantine` does not have them. A scan and a morning end alike."""
    data, store, policy = tmp_path / "data", tmp_path / "store", tmp_path / "short.toml"
    national = (ROOT / "policies" / "national.toml").read_text(encoding="utf-8")
    policy.write_text(f"{national}\n[store]\nkeep_records_days = 2\n", encoding="utf-8")
    bring(town, data, *_DAYS)
    before = " ".join(_night(data, store, tmp_path / "out", "--policy", str(policy)).out.split())
    assert "cards, 2021-05-05 00:00 to" in before, "its rollups are kept, its records are not"
    status = " ".join(duanka("--language", "en", "store", "status", store).out.split())
    assert "2 days: from 2021-05-05 on" in status
    assert "purged" not in status, "rollups and refusals never were"
    _late_file(data / "calls" / "late.csv", 40)
    night = _night(data, store, tmp_path / "out", "--policy", str(policy))
    _late_file(data / "calls" / "later.csv", 50)
    words = ("morning", data, "--store", store, "--out", tmp_path / "m", "--day", _DAYS[-1])
    morning = duanka("--language", "en", *words, "--policy", str(policy))
    for typed, late in ((night, 40), (morning, 50)):
        told = " ".join(typed.out.split())
        assert typed.code == 3, told
        assert f"{late} records were too old for the store and not taken in" in told
        assert "the policy purged the days before 2021-05-05 (it keeps records for 2 days)" in told
        assert f"records quarantined, {late} too old for the store: more than --max-bad 1.000%" in told
    assert "0 set aside (`duanka quarantine" in told
    assert "says why), 50 too old for the store" in told
    assert _night(data, store, tmp_path / "out", "--policy", str(policy)).code == 0, "told once"


def test_a_spoilt_file_of_the_store_is_named_in_a_line(town: Path, tmp_path: Path) -> None:
    data, store, out = tmp_path / "data", tmp_path / "store", tmp_path / "out"
    bring(town, data, *_DAYS[:2])
    assert duanka("scan", data, "--store", store, "--out", out).code in (0, 3)
    path = store / read_manifest(store).paths(FileKind.ROLLUPS, "card_days")[-1]
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    cut = duanka("--language", "en", "scan", data, "--store", store, "--out", out)
    path.write_bytes(content[:200] + bytes(300) + content[500:])
    bring(town, data, *_DAYS[:3])
    changed = duanka("--language", "en", "scan", data, "--store", store, "--out", out)
    for told in (cut, changed):
        assert told.code == 2, told.err
        assert "is damaged (rollups/card_days/" in told.err
        assert "Traceback" not in told.err


def test_the_store_is_written_when_the_lists_are(
    town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what was set aside would be told of nowhere: the next night does not read these files again."""
    data, store, out = tmp_path / "data", tmp_path / "store", tmp_path / "out"
    bring(town, data, *_DAYS[:2])
    monkeypatch.setattr(page, "write_page", _no_room)
    with pytest.raises(DuankaError, match="no room"):
        scan(load_settings(), data, out, policy=policy_named("national"), progress=Silent(), store=store)
    assert not read_manifest(store).delivered
    monkeypatch.undo()
    done = scan(load_settings(), data, out, policy=policy_named("national"), progress=Silent(), store=store)
    assert done.intake.delivered or read_manifest(store).delivered


def _no_room(*_: object, **__: object) -> None:
    raise DuankaError("no room")
