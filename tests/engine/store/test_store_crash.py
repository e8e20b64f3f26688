"""A writer of a store that is killed, finds no room, no permission, or another writer."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from duanka.domain.errors import MAKE_ROOM, DuankaError
from duanka.engine.store import next_generation
from duanka.engine.store.manifest import Manifest, is_store, write_manifest
from duanka.engine.store.record_store import RecordStore
from support import OWN_PROCESS
from support.disk import nobody, room_for
from support.engine.store_deliveries import NOW, call, filled, invented, parts
from support.engine.store_process import add_rest
from support.engine.store_reading import lives, on_disk, records, rollups
from support.waiting import HANG, until

DELIVERIES = 6


def _deliveries(folder: Path, seed: int) -> list[Path]:
    """Deliveries of two days that overlap."""
    chance = random.Random(seed)
    for number in range(DELIVERIES):
        parts(folder / f"{number:02}", invented(chance, rows=30, days=2))
    return sorted(folder.iterdir())


def _start(store: Path, deliveries: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "support.engine.store_process", str(store), str(deliveries)],
        env=OWN_PROCESS,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _is_whole(store: RecordStore) -> Manifest:
    """Every listed file is there, with its rows."""
    manifest = store.manifest()
    for path, file in manifest.files.items():
        assert (store.folder / path).stat().st_size == file.bytes
        assert pq.read_metadata(store.folder / path).num_rows == file.rows
    for table, days in manifest.days.items():
        held = sum(f.rows for f in manifest.files.values() if (f.kind, f.name) == ("records", table))
        assert held == sum(count for count, _ in days.values())
    return manifest


def _killed(rounds: int, seed: int, tmp_path: Path) -> int:
    """Kill a writer so many times, each at a moment of its own; returns how many commits came through by then."""
    deliveries = _deliveries(tmp_path / "in", seed)
    store, undisturbed = RecordStore(tmp_path / "store"), RecordStore(tmp_path / "undisturbed")
    days = [Manifest().days]
    for number in range(1, DELIVERIES + 1):
        add_rest(undisturbed, deliveries[:number])
        days.append(undisturbed.manifest().days)
    chance = random.Random(seed)
    come = 0
    for _ in range(rounds):
        with _start(store.folder, tmp_path / "in") as child:
            assert child.stdout
            assert child.stdout.readline() == "writing\n"
            time.sleep(chance.uniform(0, 0.8))
            child.kill()
            child.communicate()
        if is_store(store.folder):
            manifest = _is_whole(store)
            assert manifest.generation >= come
            come = manifest.generation
            assert manifest.days == days[come], "as before or as after, nothing between"
    add_rest(store, deliveries)
    _is_whole(store)
    manifest = store.manifest()
    assert on_disk(store) == {*manifest.files, *manifest.replaced}
    for table in manifest.days:
        assert records(store, table) == records(undisturbed, table)
    assert rollups(store) == rollups(undisturbed)
    assert lives(store) == lives(undisturbed)
    return come


def test_killed_at_any_moment_the_store_is_as_before_or_after(tmp_path: Path) -> None:
    assert _killed(3, 1, tmp_path) <= DELIVERIES


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 15))
def test_killed_more_often(seed: int, tmp_path: Path) -> None:
    _killed(10, seed, tmp_path)


def test_without_room_it_says_so_and_goes_on_when_there_is(tmp_path: Path) -> None:
    deliveries = _deliveries(tmp_path / "in", 2)[:3]
    store = RecordStore(tmp_path / "store")
    add_rest(store, deliveries[:1])
    before, files = store.manifest(), on_disk(store)
    largest = max(file.bytes for file in before.files.values())
    for size in (1, 1500, largest - 1, (store.folder / "store.json").stat().st_size - 1):
        with room_for(size), pytest.raises(DuankaError) as full:
            add_rest(store, deliveries)
        assert str(full.value).endswith(MAKE_ROOM), size
        assert len(str(full.value).splitlines()) == 1
        assert store.manifest() == before, size
        assert on_disk(store) == files, size
    add_rest(store, deliveries)
    assert store.manifest().generation == 3


def test_a_folder_that_only_can_be_read(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o555)
        said = pytest.raises(DuankaError, match=r"cannot write to the store in .*--store")
        with nobody(), said as found, RecordStore(Path(open_to_all) / "store").writing(NOW):
            pass
    assert len(str(found.value).splitlines()) == 1
    (tmp_path / "file").write_text("")
    with pytest.raises(DuankaError, match="is a file"), RecordStore(tmp_path / "file").writing(NOW):
        pass


class _Noted:
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def step(self, what: str, done: float, total: float | None = None) -> None:
        self.said.append(what)


def test_a_second_writer_is_told_of_the_first_or_waits_for_it(tmp_path: Path) -> None:
    store, noted, calls = RecordStore(tmp_path / "store"), _Noted(), {"calls": [call(1, NOW)]}
    given = parts(tmp_path / "in", calls)
    added: list[int] = []

    def second() -> None:
        with RecordStore(store.folder).writing(NOW, progress=noted) as writer:
            added.append(writer.add(given, filled(calls))["calls"].new)
            writer.commit()

    with store.writing(NOW) as writer:
        said = pytest.raises(DuankaError, match=r"another run writes to the store .*; let it end")
        with said, RecordStore(store.folder).writing(NOW, wait=False):
            pass
        waiting = threading.Thread(target=second)
        waiting.start()
        assert until(lambda: noted.said)
        writer.add(given, filled(calls))
        writer.commit()
    waiting.join(HANG)
    assert noted.said[0] == "waiting for another run that writes to the store"
    assert added == [0], "it sees what the first one committed"
    assert store.manifest().generation == 2


def test_what_was_not_committed_leaves_nothing(tmp_path: Path) -> None:
    store, calls = RecordStore(tmp_path / "store"), {"calls": [call(1, NOW)]}
    with store.writing(NOW) as writer:
        writer.add(parts(tmp_path / "in", calls), filled(calls))
    assert store.manifest().generation == 0
    assert not on_disk(store)
    assert sorted(os.listdir(store.folder)) == ["lock", "records", "rollups", "store.json"]


def test_an_error_after_the_commit_came_through_deletes_none_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, calls = RecordStore(tmp_path / "store"), {"calls": [call(1, NOW)]}

    def broken(folder: Path, manifest: Manifest) -> None:
        write_manifest(folder, manifest)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(next_generation, "write_manifest", broken)
    parts(tmp_path / "in" / "00", calls)
    with pytest.raises(DuankaError, match="Input/output error"):
        add_rest(store, [tmp_path / "in" / "00"])
    assert _is_whole(store).generation == 1
    assert records(store, "calls")
