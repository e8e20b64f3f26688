"""State file and store are one, also after a kill between their commits; what is merged, and what is purged."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from duanka.domain.errors import DuankaError
from duanka.domain.network import Carried, Refusal, RefusalReason
from duanka.domain.rule import Rule
from duanka.domain.store_policy import StorePolicy
from duanka.domain.streaming import Batch
from duanka.engine.live import Live
from duanka.engine.live.state.store_files import StoreFiles
from duanka.engine.store.manifest import FileKind, missing, read_manifest
from duanka.engine.store.record_store import LIVE, RecordStore
from duanka.engine.store.refusal_archive import StoredRefusals
from duanka.ingest.storage.key_columns import BatchTexts
from duanka.rules import RULES
from support.engine.streams import piece
from support.engine.worlds import canonical

START = datetime(2021, 1, 1, 10)
NOW = datetime(2026, 1, 1)
_LIMITS = {r.id: {name: limit.value for name, limit in r.limits.items()} for r in RULES}


def _batch(number: int, day: int = 0, peers: int = 100) -> Batch:
    """Calls of a card of its own to so many numbers, and of a card under a pseudonym."""
    at = START + timedelta(days=day, seconds=number)
    rows = [
        {
            "card": f"861380000{number:04}" if n else f"p-{number}",
            "peer": f"86137{n:08}",
            "direction": "out",
            "started_at": at + timedelta(milliseconds=10 * n),
            "seconds": 0,
            "answered": False,
        }
        for n in range(peers)
    ]
    frame, texts = canonical("calls", rows), BatchTexts()
    part = piece("calls", frame, texts=texts)
    return Batch((part,), positions={"x": number}, records=frame.height, texts=texts.pairs())


def _opened(folder: Path, pack_rows: int = 1, rules: Sequence[Rule] = RULES, **options: object) -> Live:
    return Live(folder, rules, _LIMITS, {}, history=False, threads=1, pack_rows=pack_rows, **options)  # type: ignore[arg-type]


def _held(folder: Path) -> int:
    days = read_manifest(folder).days.get("calls", {})
    paths = read_manifest(folder).paths(FileKind.RECORDS, "calls")
    rows = sum(pl.read_parquet(folder / path).height for path in paths)
    assert rows == sum(records for records, _ in days.values())
    return rows


def _hits(live: Live) -> set[tuple[str, str]]:
    return {(card.card, hit.rule) for card in live.answers.cards_with_hits() for hit in card.hits}


@pytest.fixture
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Copies of the folder as a kill would leave it: before the state file commits, and before the store follows."""
    found: dict[str, Path] = {}
    state = tmp_path / "state"

    def copied(name: str) -> None:
        found[name] = shutil.copytree(state, tmp_path / name)

    with _opened(state) as live:
        live.take(_batch(1), NOW)
        whole = StoreFiles.complete, StoreFiles.publish

        def complete(self: StoreFiles) -> None:
            whole[0](self)
            copied("files written")

        def publish(self: StoreFiles) -> bool:
            copied("state committed")
            return whole[1](self)

        monkeypatch.setattr(StoreFiles, "complete", complete)
        monkeypatch.setattr(StoreFiles, "publish", publish)
        live.take(_batch(2), NOW)
        monkeypatch.undo()
    return found


@pytest.mark.parametrize(("stage", "position"), [("files written", 1), ("state committed", 2)])
def test_killed_between_state_and_store(stage: str, position: int, stages: dict[str, Path]) -> None:
    folder = stages[stage]
    with _opened(folder) as live:
        assert live.positions() == {"x": position}
        for number in range(position + 1, 4):
            live.take(_batch(number), NOW)
        live.finish(NOW)
        assert {(f"861380000{n:04}", "fan_out") for n in (1, 2, 3)} <= _hits(live)
        assert ("p-3", "fan_out") not in _hits(live)
    assert _held(folder) == 300
    manifest = read_manifest(folder)
    assert not missing(folder, manifest.files)
    texts = pl.concat([pl.read_parquet(folder / path) for path in manifest.paths(FileKind.TEXTS)])
    assert sorted(texts["text"]) == ["p-1", "p-2", "p-3"]
    listed = {folder / path for path in (*manifest.files, *manifest.replaced)}
    assert set((folder / "rollups").rglob("*.parquet")) <= listed, "what was not committed is deleted"


def test_few_records_wait_half_a_minute_in_the_state(tmp_path: Path) -> None:
    with _opened(tmp_path / "state", pack_rows=1_000_000) as live:
        live.take(_batch(1), NOW)
        live.take(_batch(2), NOW + timedelta(seconds=29))
        assert not read_manifest(tmp_path / "state").files
        live.take(_batch(2), NOW + timedelta(seconds=29))  # once more
        live.take(_batch(3), NOW + timedelta(seconds=31))
    assert _held(tmp_path / "state") == 300
    assert read_manifest(tmp_path / "state").not_added["calls"].repeated == 100


def test_many_files_of_a_day_become_few_and_say_the_same(tmp_path: Path) -> None:
    with _opened(tmp_path / "many") as live, _opened(tmp_path / "one", pack_rows=1_000_000) as other:
        for number in range(1, 41):
            live.take(_batch(number, peers=110), NOW)
            other.take(_batch(number, peers=110), NOW)
        while live.rest(1.0):
            pass
        live.finish(NOW)
        other.finish(NOW)
        assert _hits(live) == _hits(other)
    manifest = read_manifest(tmp_path / "many")
    days = [(file.kind, file.name, file.day) for file in manifest.files.values() if file.day]
    assert max(map(days.count, days)) <= 9
    assert _held(tmp_path / "many") == _held(tmp_path / "one") == 4400


def test_in_a_backlog_only_what_is_very_crowded_is_merged(tmp_path: Path) -> None:
    def most_files() -> int:
        days = [(f.kind, f.name, f.day) for f in read_manifest(tmp_path / "state").files.values() if f.day]
        return max(map(days.count, days))

    with _opened(tmp_path / "state", rules=RULES[:1]) as live:
        for number in range(1, 25):
            live.take(_batch(number, peers=3), NOW)
        assert most_files() == 24
        for number in range(25, 40):  # each batch merges one table or rollup
            live.take(_batch(number, peers=3), NOW)
        assert most_files() < 30


def test_life_is_merged_again_when_it_has_doubled(tmp_path: Path) -> None:
    def merged_days() -> int:
        return len(read_manifest(tmp_path / "state").life.get("card_life", ()))

    with _opened(tmp_path / "state", rules=RULES[:1]) as live:
        for day in range(1, 28):  # two cards a day, later one: nine files have 18 cards, and so have 18 more
            live.take(_batch(day, day=day, peers=3 if day <= 9 else 1), NOW)
            live.rest(1.0)
            assert merged_days() == (0 if day < 9 else 9 if day < 27 else 27), day


def test_records_are_kept_as_long_as_the_policy_says(tmp_path: Path) -> None:
    with _opened(tmp_path / "state", retention=StorePolicy(keep_records_days=5)) as live:
        for day in range(0, 20, 2):
            live.take(_batch(day + 1, day=day), NOW)
        live.finish(NOW)
    days = read_manifest(tmp_path / "state").days_of(FileKind.RECORDS, "calls")
    assert min(days) >= (START + timedelta(days=20 - 5 - 4)).date()
    assert len(read_manifest(tmp_path / "state").days_of(FileKind.ROLLUPS, "card_days")) == 10


def test_only_live_writes_to_its_store(tmp_path: Path) -> None:
    with _opened(tmp_path / "state") as live:
        live.take(_batch(1), NOW)
    with (
        pytest.raises(DuankaError, match="duanka live keeps the store"),
        RecordStore(tmp_path / "state").writing(NOW),
    ):
        pass


def test_refusals_reach_a_store_of_live(tmp_path: Path) -> None:
    """They are seen at once, are added within a minute, once, and in the end wait nowhere."""
    folder, at = tmp_path / "state", datetime(2025, 12, 30, tzinfo=UTC)
    archive = StoredRefusals(folder)
    rows = [
        Refusal("proxy", f"k{n}", at, Carried.CALL, "8613800000001", "sip:x", RefusalReason.BLOCKED_SENDER)
        for n in range(3)
    ]
    with _opened(folder) as live:
        live.take(_batch(1), NOW)
        assert archive.keep(rows[:2], at) == rows[:2]
        assert archive.of_card("8613800000001", 10) == rows[:2]
        live.take(Batch(), NOW + timedelta(minutes=1))
        archive.keep(rows[1:], at)
        (folder / LIVE / "refusals" / "0.json").write_text("[{")
    with _opened(folder) as live:
        live.finish(NOW)
    assert sorted(archive.of_card("8613800000001", 10), key=lambda one: one.key) == rows
    held = read_manifest(folder).paths(FileKind.REFUSALS)
    assert sum(pl.read_parquet(folder / path).height for path in held) == 3
    assert [path.name for path in (folder / LIVE / "refusals").iterdir()] == ["0.json.spoilt"]
