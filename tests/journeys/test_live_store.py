"""Live records in a store as a person meets them: minute by minute, after scans, looked up, and not scanned into."""

from __future__ import annotations

from pathlib import Path

import pytest

from duanka.engine.store.manifest import FileKind, read_manifest
from duanka.simulator import simulate
from support.desk import duanka, hits
from support.journeys.nightly_deliveries import bring, scanned_anew

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
