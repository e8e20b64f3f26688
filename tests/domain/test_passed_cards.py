"""The sealed list of who passed: read back as written, refused when changed, local to the operator."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from duanka.domain.errors import DuankaError, MissingKey, UnreadableInput
from duanka.domain.local_time import OperatorZone
from duanka.domain.passed_cards import Pass, PassFile, listed, read_list

KEY, OTHER = b"k" * 32, b"o" * 32
PASSES = [
    Pass("8613000000001", datetime(2026, 3, 2, 20, 30, 0, 5, tzinfo=UTC)),
    Pass("8613000000002", datetime(2026, 3, 2, 8, tzinfo=UTC)),
]


@pytest.mark.parametrize("passes", [[], PASSES])
def test_it_is_read_back_as_written(passes: list[Pass]) -> None:
    assert read_list(listed(passes, KEY), KEY, "here") == passes


def test_every_changed_byte_is_refused() -> None:
    file = listed(PASSES, KEY)
    for place in range(len(file) - 1):  # but for the end of the last line, which says nothing
        changed = bytearray(file)
        changed[place] ^= 1
        with pytest.raises(DuankaError, match="does not bear the seal"):
            read_list(bytes(changed), KEY, "here")


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_line_that_is_missing_or_another_installations_seal_is_refused(cut: int) -> None:
    lines = listed(PASSES, KEY).splitlines(keepends=True)
    with pytest.raises(DuankaError, match="does not bear the seal"):
        read_list(b"".join(lines[:cut] + lines[cut + 1 :]), KEY, "here")
    with pytest.raises(DuankaError, match="does not bear the seal"):
        read_list(b"".join(lines), OTHER, "here")


@pytest.mark.parametrize(
    ("zone", "local"),
    [
        ("Asia/Shanghai", datetime(2026, 3, 3, 4, 30, 0, 5)),
        ("America/Lima", datetime(2026, 3, 2, 15, 30, 0, 5)),
        ("UTC", datetime(2026, 3, 2, 20, 30, 0, 5)),
    ],
)
def test_times_are_local_to_the_records(zone: str, local: datetime, tmp_path: Path) -> None:
    path = tmp_path / "passes.jsonl"
    path.write_bytes(listed(PASSES, KEY))
    assert PassFile(path, KEY, OperatorZone(zone)).read()["8613000000001"] == local


def test_no_file_is_nobody_unless_it_was_named(tmp_path: Path) -> None:
    path = tmp_path / "passes.jsonl"
    assert PassFile(path, None, OperatorZone()).read() == {}
    with pytest.raises(UnreadableInput, match="DUANKA_PASSES"):
        PassFile(path, KEY, OperatorZone(), required=True).read()
    path.write_bytes(listed(PASSES, KEY))
    with pytest.raises(MissingKey):
        PassFile(path, None, OperatorZone()).read()


def test_another_file_is_another_version(tmp_path: Path) -> None:
    path = tmp_path / "passes.jsonl"
    file = PassFile(path, KEY, OperatorZone())
    seen = {file.version()}
    for passes in (PASSES[:1], PASSES):
        path.write_bytes(listed(passes, KEY))
        assert file.version() == file.version()
        assert file.version() not in seen
        seen.add(file.version())
