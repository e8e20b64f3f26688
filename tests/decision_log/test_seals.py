"""A decision counts as ours where it bears our seal and stands where we wrote it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from duanka.decision_log.reader import DecisionFile
from duanka.decision_log.writer import DECISIONS, DecisionList, DecisionLogWriter
from duanka.domain.decision import Tier
from duanka.domain.findings import CardAtRisk
from duanka.domain.order_decision import OrderDecision
from duanka.domain.rule import Action
from duanka.domain.sealing import run_of
from duanka.domain.text import BilingualText

KEY, OTHER = b"k" * 32, b"o" * 32


def _written(path: Path, numbers: range, key: bytes | None = KEY) -> list[bytes]:
    with DecisionList(path, key) as written:
        for number in numbers:
            reasons = {"fan_out": BilingualText("陌生号码", "strangers")}
            written.add(CardAtRisk(str(8613800000000 + number), Tier.MEDIUM, Action.VERIFY, 3.0, reasons, ()))
    return path.read_bytes().splitlines(keepends=True)


def _sealed(path: Path, lines: list[bytes], key: bytes | None = KEY) -> list[bool]:
    path.write_bytes(b"".join(lines))
    return [bool(one.id) for one in DecisionFile(path.parent, key).read(0, 100)[0]]


Spoil = Callable[[list[bytes], list[bytes]], list[bytes]]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda mine, other: mine, [True, True, True]),
        (lambda mine, other: [mine[0], mine[1].replace(b"verify", b"stop"), mine[2]], [True, False, True]),
        (lambda mine, other: [mine[0].replace(b'"seq": 1', b'"seq": 4'), *mine[1:]], [False, True, True]),
        (lambda mine, other: [mine[1], mine[0], mine[2]], [True, False, True]),  # another place
        (lambda mine, other: [*mine, mine[1]], [True, True, True, False]),  # twice
        (lambda mine, other: [*mine, other[2]], [True, True, True, False]),  # of another file
        (lambda mine, other: [mine[0], mine[2]], [True, True]),  # a gap is no forgery: live runs have them
        (lambda mine, other: [line.rsplit(b', "seal"')[0] + b"}\n" for line in mine], [False] * 3),
        (lambda mine, other: [mine[0][:-5] + b'zz"}\n', *mine[1:]], [False, True, True]),
    ],
)
def test_a_line_counts_where_it_was_written(tmp_path: Path, spoil: Spoil, expected: list[bool]) -> None:
    mine = _written(tmp_path / "mine.jsonl", range(3))
    other = _written(tmp_path / "other.jsonl", range(3))
    assert _sealed(tmp_path / DECISIONS, spoil(mine, other)) == expected


def test_another_installation_or_none_has_no_seal(tmp_path: Path) -> None:
    mine = _written(tmp_path / "mine.jsonl", range(2))
    assert _sealed(tmp_path / DECISIONS, mine, OTHER) == [False, False]
    assert _sealed(tmp_path / DECISIONS, mine, None) == [False, False]
    assert _sealed(tmp_path / DECISIONS, _written(tmp_path / "none.jsonl", range(2), None)) == [False, False]
    assert not any("seal" in json.loads(line) for line in _written(tmp_path / "none.jsonl", range(2), None))


def test_reading_on_in_pieces_or_from_anywhere_knows_the_same_lines(tmp_path: Path) -> None:
    lines = _written(tmp_path / DECISIONS, range(9))
    whole, _ = DecisionFile(tmp_path, KEY).read(0, 100)
    file, position = DecisionFile(tmp_path, KEY), 0
    found: list[OrderDecision] = []
    for _ in lines:
        some, position = file.read(position, 1)
        found += some
    assert found == list(whole)
    again, _ = DecisionFile(tmp_path, KEY).read(sum(map(len, lines[:5])), 100)
    assert list(again) == list(whole[5:])
    assert list(file.read(0, 100)[0]) == list(whole), "and back to the beginning"


def test_a_ledger_that_is_opened_again_goes_on_as_the_same_run(tmp_path: Path) -> None:
    lines = _written(tmp_path / DECISIONS, range(3))
    with DecisionLogWriter(tmp_path, KEY) as ledger:
        assert ledger._sealer is not None
        assert ledger._sealer.run == run_of(KEY, lines[0])
    with DecisionLogWriter(tmp_path, OTHER) as ledger:
        assert ledger._sealer is not None
        assert ledger._sealer.run != run_of(KEY, lines[0]), "what another installation sealed is not ours"
