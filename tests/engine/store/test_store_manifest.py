"""The manifest of a store: what is no store, damaged, of another version or zone, and who may write."""

from __future__ import annotations

import json
import os
import stat
from datetime import datetime
from pathlib import Path

import pytest
from pydantic import BaseModel

from duanka.domain.errors import DuankaError
from duanka.engine.store.manifest import MANIFEST, RepeatCounts, read_manifest
from duanka.engine.store.record_store import RecordStore
from support.engine.store_deliveries import NOW, call, filled, parts

CALLS = {
    "calls": [call(8613800000002, datetime(2026, 3, 8, 9)), call(8613800000001, datetime(2026, 3, 7, 23))]
}


def _made(tmp_path: Path) -> RecordStore:
    store = RecordStore(tmp_path / "store")
    with store.writing(NOW) as writer:
        writer.add(parts(tmp_path / "in", CALLS), filled(CALLS))
        writer.commit()
    return store


def test_what_was_added_is_listed_by_day_and_private(tmp_path: Path) -> None:
    store = _made(tmp_path)
    manifest = store.manifest()
    assert (manifest.generation, manifest.committed_at) == (1, NOW)
    assert {str(day): records for day, (records, _) in manifest.days["calls"].items()} == {
        "2026-03-07": 1,
        "2026-03-08": 1,
    }
    assert manifest.filled["calls"] == {"card", "peer", "direction", "started_at"}
    for root, folders, files in os.walk(store.folder):
        for name in folders:
            assert stat.S_IMODE((Path(root) / name).stat().st_mode) == 0o700
        for name in files:
            assert stat.S_IMODE((Path(root) / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


def test_a_copy_shares_nothing_that_changes(tmp_path: Path) -> None:
    manifest = _made(tmp_path).manifest()
    manifest.judged["rule"] = {"generation": 1}
    manifest.not_added["calls"] = RepeatCounts()
    copy = manifest.copied()
    assert copy == manifest
    for name in type(manifest).model_fields:
        mine, its = getattr(manifest, name), getattr(copy, name)
        if isinstance(mine, dict | set | list | BaseModel):
            assert mine is not its, name
        if isinstance(mine, dict):
            assert all(mine[k] is not its[k] for k in mine if isinstance(mine[k], dict | set | BaseModel)), (
                name
            )


def test_a_folder_with_other_content_is_no_store_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"sun")
    with pytest.raises(DuankaError, match="not empty and holds no store"), RecordStore(tmp_path).writing(NOW):
        pass
    assert (tmp_path / "holiday.jpg").read_bytes() == b"sun"
    with pytest.raises(DuankaError, match=r"holds no store .*duanka scan DATA --store"):
        read_manifest(tmp_path)


def test_a_store_without_its_manifest_is_damaged_and_no_folder_of_others(tmp_path: Path) -> None:
    store = _made(tmp_path)
    (store.folder / MANIFEST).unlink()
    for opened in (store.manifest, lambda: store.writing(NOW).__enter__()):
        with pytest.raises(DuankaError, match=r"damaged \(store.json is missing\).*backup.*new store"):
            opened()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 1, "filez": {}}', b"\0" * 900, b"\xff"])
def test_a_damaged_manifest_is_refused_and_left_as_it_is(content: bytes, tmp_path: Path) -> None:
    store = _made(tmp_path)
    (store.folder / MANIFEST).write_bytes(content)
    for opened in (store.manifest, lambda: store.writing(NOW).__enter__()):
        with pytest.raises(DuankaError, match=r"damaged.*backup.*new store") as found:
            opened()
        assert len(str(found.value).splitlines()) == 1
    assert (store.folder / MANIFEST).read_bytes() == content


def test_paths_outside_of_the_store_are_damage(tmp_path: Path) -> None:
    store = _made(tmp_path)
    said = json.loads((store.folder / MANIFEST).read_text())
    path = next(iter(said["files"]))
    said["files"][f"../{path}"] = said["files"].pop(path)
    (store.folder / MANIFEST).write_text(json.dumps(said))
    with pytest.raises(DuankaError, match="damaged"):
        store.manifest()


def test_a_file_that_is_gone_is_damage(tmp_path: Path) -> None:
    store = _made(tmp_path)
    lost = next(iter(store.manifest().files))
    (store.folder / lost).unlink()
    with pytest.raises(DuankaError, match=rf"damaged \({lost}\)"), store.writing(NOW):
        pass


def test_another_version_and_another_zone_are_refused(tmp_path: Path) -> None:
    store = _made(tmp_path)
    with (
        pytest.raises(DuankaError, match=r"of Asia/Shanghai, not of Asia/Tokyo"),
        RecordStore(store.folder, zone="Asia/Tokyo").writing(NOW),
    ):
        pass
    path = store.folder / MANIFEST
    path.write_text(path.read_text().replace('"version":1', '"version":7'))
    with pytest.raises(DuankaError, match="of version 7, and this Duanka needs version 1"):
        store.manifest()
