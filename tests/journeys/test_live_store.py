"""Live records in a store as a person meets them: minute by minute, after scans, looked up, and not scanned into."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import polars as pl
import pytest

from duanka.engine.store.manifest import FileKind, read_manifest
from duanka.simulator import simulate
from support.desk import duanka, hits, started
from support.journeys.nightly_deliveries import bring, scanned_anew
from support.waiting import HANG, until

_DAYS = ("2021-05-03", "2021-05-04", "2021-05-05", "2021-05-06")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An invented town over four days."""
    folder = tmp_path_factory.mktemp("town") / "town"
    simulate(folder, cards=300, days=len(_DAYS), seed=5)
    return folder


def _live(inbox: Path, store: Path, out: Path) -> str:
    places = ("--inbox", inbox, "--lists", inbox / "world.toml", "--store", store, "--out", out)
    typed = duanka("--language", "en", "live", "--once", *places)
    assert typed.code == 0, typed.err
    return typed.out


def _held(store: Path) -> dict[str, int]:
    """Record table -> records in the store."""
    manifest = read_manifest(store)
    return {table: sum(records for records, _ in days.values()) for table, days in manifest.days.items()}


def test_live_after_scans_goes_on_with_what_they_took_in(town: Path, tmp_path: Path) -> None:
    data, store = tmp_path / "data", tmp_path / "store"
    bring(town, data, *_DAYS[:2])
    assert duanka("scan", data, "--store", store, "--out", tmp_path / "scan").code in (0, 3)
    scanned = _held(store)
    bring(town, data, *_DAYS[2:])  # the files of before stay as they are
    told = _live(data, store, tmp_path / "live")
    assert "late" not in told, "files that a scan took in are not read again"
    assert hits(tmp_path / "live") == scanned_anew(data, tmp_path / "anew")
    held = _held(store)
    assert all(held[table] > scanned[table] for table in ("calls", "messages"))
    _live(data, store, tmp_path / "live")
    assert _held(store) == held


def test_a_store_of_live_has_what_was_read_and_takes_no_scan(town: Path, tmp_path: Path) -> None:
    data, store = tmp_path / "data", tmp_path / "store"
    bring(town, data, *_DAYS)
    _live(data, store, tmp_path / "live")
    assert store.stat().st_mode & 0o777 == 0o700
    assert duanka("scan", data, "--store", tmp_path / "other", "--out", tmp_path / "scan").code in (0, 3)
    assert _held(store) == _held(tmp_path / "other")
    manifest = read_manifest(store)
    assert manifest.paths(FileKind.REGISTERS, "cards"), "lookups ask the register where a card is"
    told = duanka("--language", "en", "store", "status", store)
    assert told.code == 0
    refused = duanka("--language", "en", "scan", data, "--store", store, "--out", tmp_path / "scan")
    assert refused.code != 0
    assert "duanka live keeps the store" in refused.err
    assert _held(store) == _held(tmp_path / "other")


def test_after_an_orderly_end_everything_is_in_the_store(town: Path, tmp_path: Path) -> None:
    data, store, out = tmp_path / "data", tmp_path / "store", tmp_path / "out"
    bring(town, data, *_DAYS)
    told = tmp_path / "told"
    with told.open("w") as file:
        run = started("live", "--inbox", data, "--store", store, "--out", out, out=file, err=file)
        until(lambda: (out / "hits.jsonl").exists() and (out / "hits.jsonl").stat().st_size)
        run.send_signal(signal.SIGINT)
        assert run.wait(HANG) == 0, told.read_text()
    registers = sum(pl.read_parquet(path).height for path in data.glob("*.parquet"))
    used = re.search(r"(?:used|采用) +([0-9,]+)", told.read_text())
    assert used is not None
    assert sum(_held(store).values()) == int(used[1].replace(",", "")) - registers


def test_a_damaged_state_names_the_way_out_and_no_hit_is_left_out(town: Path, tmp_path: Path) -> None:
    data, store, out = tmp_path / "data", tmp_path / "store", tmp_path / "out"
    bring(town, data, *_DAYS[:3])
    _live(data, store, out)
    before, held = _changes(out), _held(store)
    state = store / "live" / "live.duckdb"
    with state.open("r+b") as file:
        file.write(bytes(4096))
    broken = duanka("--language", "en", "live", "--once", "--inbox", data, "--store", store, "--out", out)
    assert (broken.code, broken.err.count("\n")) == (2, 1), broken.err
    assert "is damaged" in broken.err
    assert "move this file out of the folder" in broken.err
    state.rename(tmp_path / state.name)
    bring(town, data, *_DAYS)
    _live(data, store, out)
    assert all(_held(store)[table] > held[table] for table in ("calls", "messages"))
    again = _changes(out)[len(before) :]
    assert {seq for seq, *_ in again}.isdisjoint(seq for seq, *_ in before)
    assert {(card, rule) for _, card, rule in again} >= {(hit["card"], hit["rule"]) for hit in hits(out)}


def _changes(out: Path) -> list[tuple[int, str, str]]:
    """Number, card and rule of each line of hits.jsonl."""
    lines = [json.loads(line) for line in (out / "hits.jsonl").read_text(encoding="utf-8").splitlines()]
    return [(line["seq"], line["card"], line["rule"]) for line in lines]


def test_a_store_in_the_inbox_is_refused(town: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    bring(town, data, _DAYS[0])
    for places in (("--store", data / "store"), ("--out", data / "out")):
        refused = duanka("--language", "en", "live", "--once", "--inbox", data, *places)
        assert refused.code == 2
        assert "lies among the records" in refused.err
    assert not (data / "store").exists()
