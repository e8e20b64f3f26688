"""What a store merges over all days: life of cards and devices, registers, texts, compacted days; what it purges."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from duanka.domain.errors import DuankaError
from duanka.domain.store_policy import StorePolicy
from duanka.engine.store import life
from duanka.engine.store.days import compaction
from duanka.engine.store.days.compaction import compact_some
from duanka.engine.store.life import counting_days
from duanka.engine.store.manifest import FileKind
from duanka.engine.store.reading.status import status_of
from duanka.engine.store.record_store import RecordStore
from support.disk import room_for
from support.engine.store_deliveries import FIRST, NOW, Row, call, filled, invented, parts
from support.engine.store_reading import Rows, declared, lives, on_disk, records, source


def add(
    store: RecordStore, folder: Path, tables: dict[str, list[Row]], without: frozenset[date] = frozenset()
) -> None:
    with store.writing(NOW) as writer:
        writer.add(parts(folder, tables), filled(tables))
        writer.merge_life({day for days in writer.manifest.days.values() for day in days} - without)
        writer.compact()
        writer.commit()


def counted(store: RecordStore, without: frozenset[date] = frozenset()) -> dict[str, Rows]:
    found = declared(store, without)
    return {name: found[name] for name in ("card_devices", "card_life")}


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 10))])
def test_life_grows_by_delivery_and_leaves_out_days_that_do_not_count(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "MOST_TOGETHER", 2 + seed)
    chance = random.Random(seed)
    store = RecordStore(tmp_path / "store")
    for number in range(2):
        add(store, tmp_path / f"in{number}", invented(chance, rows=60))
        assert lives(store) == counted(store)
    without = frozenset({date(1970, 1, 1), date(2099, 12, 31), FIRST + timedelta(1)})
    for number, left_out in enumerate((without, without, frozenset())):
        add(store, tmp_path / f"later{number}", invented(chance, rows=10), left_out)
        assert lives(store) == counted(store, left_out)
    assert all(file.rows for file in store.manifest().files.values())


def test_strays_do_not_count_by_themselves(tmp_path: Path) -> None:
    days = {FIRST + timedelta(n): (500, datetime.combine(FIRST + timedelta(n), NOW.time())) for n in range(5)}
    stray = date(2099, 12, 31)
    assert counting_days({"calls": {**days, stray: (3, datetime(2099, 12, 31, 4))}}) == frozenset(days)
    assert counting_days({}) == frozenset()
    assert tmp_path.is_dir()


def test_a_crowded_day_becomes_one_file_and_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "MOST_FILES", 3)
    chance, store = random.Random(4), RecordStore(tmp_path / "store")
    files = []
    for number in range(5):
        add(store, tmp_path / f"in{number}", invented(chance, rows=20, days=1))
        files.append(len(store.manifest().paths(FileKind.RECORDS, "calls", FIRST)))
    assert files == [1, 2, 3, 1, 2]
    manifest = store.manifest()
    assert len(manifest.paths(FileKind.ROLLUPS, "card_peers", FIRST)) == 2
    assert sum(manifest.files[p].rows for p in manifest.paths(FileKind.RECORDS, "calls")) == sum(
        records for records, _ in manifest.days["calls"].values()
    )
    assert lives(store) == counted(store)
    assert on_disk(store) == {*manifest.files, *manifest.replaced}


def test_partials_that_are_not_merged_yet_are_not_written_together_with_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "MOST_FILES", 2)
    chance, store = random.Random(5), RecordStore(tmp_path / "store")
    for number in range(2):
        add(store, tmp_path / f"in{number}", invented(chance, rows=20, days=1))
    later = invented(chance, rows=20, days=1)
    with store.writing(NOW) as writer:
        writer.add(parts(tmp_path / "later", later), filled(later))
        assert writer.compact(), "what has no life to be merged in is written together"
        writer.commit()
    assert len(store.manifest().paths(FileKind.ROLLUPS, "card_days", FIRST)) == 3
    add(store, tmp_path / "last", invented(chance, rows=5, days=1))
    assert len(store.manifest().paths(FileKind.ROLLUPS, "card_days", FIRST)) == 1
    assert lives(store) == counted(store)


def _days_of_files(store: RecordStore, sizes: tuple[int, ...]) -> None:
    """A day with so many calls in each of its files, all of one card."""
    for number, size in enumerate(sizes):
        at = datetime.combine(FIRST, NOW.time())
        calls = [call(8613800000001, at, peer=1_000_000 * number + n) for n in range(size)]
        with store.writing(NOW) as writer:
            writer.add(parts(store.folder.parent / f"in{number}", {"calls": calls}), {})
            writer.commit()


def _sizes(store: RecordStore) -> list[int]:
    manifest = store.manifest()
    return sorted(manifest.files[path].rows for path in manifest.paths(FileKind.RECORDS, "calls"))


@pytest.mark.parametrize(
    ("rows", "strictly", "becomes"),
    [
        (1000, True, [6, 10, 40]),  # 10 is more than 1 + 2 + 3
        (5, True, [3, 3, 10, 40]),
        (2, True, None),
        (2, False, [3, 3, 10, 40]),
    ],
)
def test_small_files_are_merged_with_small_ones(
    rows: int, strictly: bool, becomes: list[int] | None, tmp_path: Path
) -> None:
    store = RecordStore(tmp_path / "store")
    _days_of_files(store, (40, 3, 10, 1, 2))
    before = records(store, "calls")
    with store.writing(NOW) as writer:
        apart = [path for path, file in writer.manifest.files.items() if file.kind is FileKind.ROLLUPS]
        assert compact_some(writer.draft, 4, apart, rows=rows, strictly=strictly) is bool(becomes)
        assert not compact_some(writer.draft, 5, apart, rows=rows, strictly=strictly), "few enough"
        writer.commit()
    assert _sizes(store) == (becomes or [1, 2, 3, 10, 40])
    assert records(store, "calls") == before


def test_without_room_nothing_is_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MOST_FILES", 1)
    store = RecordStore(tmp_path / "store")
    _days_of_files(store, (300, 300))
    before, files = store.manifest(), on_disk(store)
    for size in (1, 1000, max(file.bytes for file in before.files.values())):
        with (
            room_for(size),
            pytest.raises(DuankaError, match="make room") as full,
            store.writing(NOW) as writer,
        ):
            writer.compact()
        assert len(str(full.value).splitlines()) == 1
        assert store.manifest() == before
        assert on_disk(store) == files
    with store.writing(NOW) as writer:
        assert writer.compact()
        writer.commit()
    assert _sizes(store) == [600]


def test_a_later_row_of_a_register_replaces_the_earlier_and_other_lists_grow(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "store")
    add(
        store,
        tmp_path / "a",
        {
            "cards": [{"card": 2, "kind": "voice"}, {"card": 1, "kind": "iot"}],
            "outlets": [{"outlet": "o1", "name": "Old"}],
            "cases": [{"card": 1, "case_id": "A1"}],
        },
    )
    add(
        store,
        tmp_path / "b",
        {
            "cards": [{"card": 1, "kind": None, "holder": "h"}, {"card": 3}],
            "outlets": [{"outlet": "o1", "name": "New"}],
            "cases": [{"card": 1, "case_id": "A1"}, {"card": 1, "case_id": "A2"}],
        },
    )

    def rows(table: str, columns: str) -> Rows:
        return duckdb.execute(f"SELECT {columns} FROM {source(store, FileKind.REGISTERS, table)}").fetchall()

    assert rows("cards", "card, kind, holder") == [(1, None, "h"), (2, "voice", None), (3, None, None)]
    assert rows("outlets", "outlet, name") == [("o1", "New")]
    assert rows("cases", "card, case_id") == [(1, "A1"), (1, "A2")]
    before = store.manifest().paths(FileKind.REGISTERS, "cases")
    add(store, tmp_path / "c", {"cases": [{"card": 1, "case_id": "A2"}]})
    assert store.manifest().paths(FileKind.REGISTERS, "cases") == before, "nothing new: not written again"


def _texts(path: Path, pairs: dict[int, str]) -> Path:
    pq.write_table(pa.table({"key": list(pairs), "text": list(pairs.values())}), path)
    return path


def test_texts_of_keys_are_kept_once_and_two_for_one_key_are_refused(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "store")
    for number, pairs in enumerate(({-2: "b", -1: "a"}, {-1: "a", -3: "c"})):
        with store.writing(NOW) as writer:
            writer.add({}, {}, texts=[_texts(tmp_path / f"{number}", pairs)])
            writer.commit()
    assert duckdb.execute(f"FROM {source(store, FileKind.TEXTS)}").fetchall() == [
        (-3, "c"),
        (-2, "b"),
        (-1, "a"),
    ]
    manifest = store.manifest()
    both = [_texts(tmp_path / "x", {-9: "x"}), _texts(tmp_path / "y", {-9: "y"})]
    for given in ([_texts(tmp_path / "2", {-1: "z"})], both):
        said = pytest.raises(DuankaError, match=r"'[ax]' and '[zy]' have the same record key -[19]")
        with said, store.writing(NOW) as writer:
            writer.add({}, {}, texts=given)
    assert store.manifest() == manifest


def test_purged_days_are_gone_for_good_and_do_not_come_back(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "store")
    today = NOW.date()
    ages = (0, 10, 100, 300)

    def at(age: int) -> datetime:
        return datetime.combine(today - timedelta(age), NOW.time())

    calls = [call(8613800000000 + age, at(age), imei=86000000000000 + age) for age in ages]
    calls += [call(7, datetime(2099, 1, 1)), call(8613800000100, at(10), imei=86000000000100)]
    add(store, tmp_path / "in", {"calls": calls})
    policy = StorePolicy(keep_records_days=30, keep_rollups_days=200, keep_refusals_days=30)
    with store.writing(NOW) as writer:
        assert writer.purge(today, policy)
        writer.commit()
    manifest = store.manifest()
    assert manifest.replaced == set()
    assert on_disk(store) == set(manifest.files)
    assert {f.day for f in manifest.files.values() if f.kind is FileKind.RECORDS} == {
        at(0).date(),
        at(10).date(),
        date(2099, 1, 1),
    }
    assert min(f.day for f in manifest.files.values() if f.day) == at(100).date()
    assert set(manifest.days["calls"]) == {at(0).date(), at(10).date(), at(100).date(), date(2099, 1, 1)}
    assert {imei for _, imei, *_ in lives(store)["card_devices"]} == {
        86000000000000 + age for age in (0, 10, 100)
    }
    assert (manifest.kept.records, manifest.kept.records_from) == (30, today - timedelta(30))
    status = status_of(manifest)
    assert [(one.records, one.days) for one in status.tables if one.table == "calls"] == [(4, 3)], (
        "not rollups"
    )
    assert status.days == (at(10).date(), at(0).date(), date(2099, 1, 1))
    with store.writing(NOW) as writer:
        added = writer.add(parts(tmp_path / "again", {"calls": calls}), {})["calls"]
        writer.commit()
    assert (added.new, added.repeated, added.late) == (0, 4, 2)
    assert store.manifest().not_added["calls"].late == 2
    later = NOW + timedelta(days=365)
    with store.writing(later) as writer:
        writer.purge(later.date(), policy)
        writer.commit()
    assert not [p for p in store.folder.rglob("*.parquet") if "records" in str(p)], (
        "of 2099 too: it is a year old"
    )
    assert store.manifest().days["calls"] == {}
