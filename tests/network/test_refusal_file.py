"""The record of refusals of an element: positions of one file mean nothing in another, and nothing is lost by it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from duanka.domain.network import Carried, LossCause, NetworkError, Unreachable
from duanka.network.refusal_store import RefusedFile
from support.waiting import HANG

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "refused.sqlite"


def refuse(file: RefusedFile, *keys: str) -> None:
    file.add((key, NOW.timestamp(), "8613800138000", "8613900000002", "blocked_sender", "") for key in keys)


def started(path: Path) -> RefusedFile:
    file = RefusedFile(path, "message_proxy", Carried.MESSAGE)
    file.make()
    return file


def keys(file: RefusedFile, after: int = 0) -> list[str]:
    return [one.key for one in file.read(after, 1000)[0]]


def test_a_position_of_another_file_reads_everything_and_forgets_nothing(path: Path) -> None:
    first = started(path)
    refuse(first, *(f"a{i}" for i in range(20)))
    _, position = first.read(0, 1000)
    path.unlink()
    second = started(path)
    refuse(second, "b1", "b2")
    assert keys(second, position) == ["b1", "b2"]
    second.forget(position)
    assert keys(second) == ["b1", "b2"]
    _, there = second.read(position, 1000)
    assert keys(second, there) == []
    second.forget(there)
    assert keys(second) == []


def test_positions_go_on_over_starts_of_one_file(path: Path) -> None:
    file = started(path)
    refuse(file, "a1", "a2", "a3")
    some, position = file.read(0, 2)
    file = started(path)
    refuse(file, "b1")
    assert keys(file, position) == ["a3", "b1"]
    file.forget(position)
    assert keys(file) == ["a3", "b1"]
    assert len(some) == 2


def test_a_copy_from_a_backup_counts_on_elsewhere(path: Path) -> None:
    file = started(path)
    refuse(file, "a1")
    kept = path.with_name("kept")
    with (
        closing(sqlite3.connect(path, timeout=HANG)) as whole,
        closing(sqlite3.connect(kept, timeout=HANG)) as copy,
    ):
        whole.backup(copy)
    refuse(file, "a2", "a3")
    _, position = file.read(0, 1000)
    for one in path.parent.glob("refused.sqlite*"):
        one.unlink()
    shutil.move(kept, path)
    file = started(path)
    refuse(file, "b1", "b2")
    assert keys(file, position)[-2:] == ["b1", "b2"]


def test_what_an_earlier_version_wrote_is_read_on(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=HANG)) as database, database:
        database.execute(
            "CREATE TABLE refused (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, at TEXT NOT NULL,"
            " card TEXT NOT NULL, peer TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL DEFAULT '')"
        )
        for key in ("a1", "a2"):
            database.execute(
                "INSERT INTO refused (key, at, card, peer, reason) VALUES (?, '1.0', '1', '2', 'rate')",
                (key,),
            )
    file = started(path)
    refuse(file, "b1")
    assert keys(file, 1) == ["a2", "b1"]
    file.forget(1)
    assert keys(file) == ["a2", "b1"]


@pytest.mark.parametrize(
    "content", [b"no database at all, in no way " * 200, b"SQLite format 3\0" + bytes(5000)]
)
def test_a_spoilt_file_makes_room_for_a_new_one(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    file = started(path)
    refuse(file, "a1")
    assert keys(file) == ["a1"]
    assert path.with_name("refused.sqlite.spoilt").read_bytes() == content


def _spoil(path: Path) -> None:
    path.write_bytes(b"\xff" * 9000)
    for one in path.parent.glob("refused.sqlite-*"):
        one.unlink()


@pytest.mark.parametrize("harm", [Path.unlink, _spoil])
def test_what_goes_on_being_refused_is_kept_when_the_file_is_lost_under_it(
    path: Path, harm: Callable[[Path], None]
) -> None:
    file = started(path)
    refuse(file, "a1")
    _, position = file.read(0, 10)
    harm(path)
    refuse(file, "b1")
    assert keys(file, position) == ["b1"]


def test_one_row_that_nobody_can_read_stops_no_other(path: Path) -> None:
    file = started(path)
    refuse(file, "a1")
    with closing(sqlite3.connect(path, timeout=HANG)) as database, database:
        put = "INSERT INTO refused (key, at, card, peer, reason) VALUES (?, ?, CAST(? AS TEXT), '2', ?)"
        for number, (at, reason) in enumerate(
            [("soon", "rate"), ("1e300", "rate"), ("nan", "rate"), ("1.0", "whim"), ("1.0", "rate")]
        ):
            database.execute(put, (f"bad{number}", at, b"138\xff", reason))
    refuse(file, "b1")
    found, position = file.read(0, 1000)
    assert [(one.key, one.card) for one in found][1:-1] == [("bad4", "138\ufffd")]
    assert [found[0].key, found[-1].key] == ["a1", "b1"]
    file.forget(position)
    assert keys(file) == []


def test_a_folder_that_is_gone_is_said(path: Path) -> None:
    file = RefusedFile(path / "nowhere", "message_proxy", Carried.MESSAGE)
    with pytest.raises(Unreachable):
        file.make()
    with pytest.raises(NetworkError):
        refuse(file, "a1")


def test_only_the_owner_reads_it(path: Path) -> None:
    started(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_writer_that_was_killed_may_have_lost_what_it_held(path: Path) -> None:
    file = RefusedFile(path, "message_proxy", Carried.MESSAGE)
    file.make()
    begun = NOW.timestamp()
    file.begin(begun)
    file.end()
    file.begin(begun + 60)
    file.add([("k", begun + 90, "1", "2", "text", "")])
    assert not file.losses(), "one that ended holds nothing"
    file.begin(begun + 120)
    (lost,) = file.losses()
    assert (lost.why, lost.count) == (LossCause.KILLED, None)
    assert (lost.since, lost.until) == (NOW + timedelta(seconds=90), NOW + timedelta(seconds=120))
