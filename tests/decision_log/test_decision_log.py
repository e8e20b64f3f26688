"""Every change stands in the ledger once, wherever a crash cuts it off."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duanka.decision_log.writer import DECISIONS, HITS, DecisionLogWriter
from duanka.domain.decision import ACTION_OF_TIER, Tier
from duanka.domain.errors import DuankaError
from duanka.domain.findings import CardAtRisk
from duanka.domain.rule import Action, Hit
from duanka.domain.streaming import Change, HitChange
from duanka.domain.text import BilingualText
from support.disk import room_for

NOW = datetime(2021, 5, 17, 9)


def change(seq: int, card: str, kind: Change = Change.RAISED, **evidence: object) -> HitChange:
    return HitChange(seq, kind, Hit(card, "fan_out", NOW + timedelta(minutes=seq), evidence))


def words(hit: Hit) -> BilingualText:
    return BilingualText(f"{hit.card} 拨号", f"{hit.card} dials")


def decided(card: str, tier: Tier = Tier.MEDIUM, would_be: Action | None = None) -> CardAtRisk:
    reasons = {"fan_out": BilingualText("拨号", "dials")} if tier else {}
    return CardAtRisk(card, tier, ACTION_OF_TIER[tier], float(3 * tier), reasons, (), would_be=would_be)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def written(folder: Path) -> tuple[bytes, bytes]:
    return (folder / HITS).read_bytes(), (folder / DECISIONS).read_bytes()


def test_each_change_and_each_decision_is_a_line(tmp_path: Path) -> None:
    evidence = {
        "peers": 60,
        "share": Decimal("0.25"),
        "day": date(2021, 5, 17),
        "odd": float("nan"),
        "no": None,
    }
    with DecisionLogWriter(tmp_path / "new") as ledger:
        assert ledger.last_seq() == 0
        ledger.write(
            [change(1, "a", Change.RAISED, **evidence), change(2, "b"), change(3, "a", Change.REVOKED)],
            words,
            [decided("a", Tier.LOW), decided("b", would_be=Action.VERIFY_AT_COUNTER), decided("z")],
        )
        assert ledger.last_seq() == 3
    hits = lines(tmp_path / "new" / HITS)
    assert hits[0] == {
        "seq": 1,
        "kind": "raised",
        "card": "a",
        "rule": "fan_out",
        "seen_at": "2021-05-17T09:01:00",
        "evidence": {"peers": 60, "share": 0.25, "day": "2021-05-17", "odd": None, "no": None},
        "reason": {"zh": "a 拨号", "en": "a dials"},
    }
    assert [(line["seq"], line["kind"]) for line in hits] == [(1, "raised"), (2, "raised"), (3, "revoked")]
    assert lines(tmp_path / "new" / DECISIONS) == [
        {
            "seq": 2,
            "card": "b",
            "operator": "",
            "city": "",
            "tier": "medium",
            "action": "verify",
            "points": 3.0,
            "reasons": [{"rule": "fan_out", "zh": "拨号", "en": "dials"}],
            "would_be": "verify_at_counter",
        },
        {
            "seq": 3,
            "card": "a",
            "operator": "",
            "city": "",
            "tier": "low",
            "action": "watch",
            "points": 0.0,
            "reasons": [],
        },
    ]


def test_it_goes_on_where_it_stands_and_writes_nothing_twice(tmp_path: Path) -> None:
    first = [change(1, "a"), change(2, "b")]
    with DecisionLogWriter(tmp_path) as ledger:
        ledger.write(first, words, [decided("a"), decided("b")])
    with DecisionLogWriter(tmp_path) as ledger:
        assert ledger.last_seq() == 2
        ledger.write([*first, change(3, "a")], words, [decided("a"), decided("b")])
        ledger.write([], words, [])
        ledger.write(first, words, [decided("a"), decided("b")])
    assert [line["seq"] for line in lines(tmp_path / HITS)] == [1, 2, 3]
    assert [line["seq"] for line in lines(tmp_path / DECISIONS)] == [1, 2, 3]


def test_a_changed_card_without_a_decision_is_refused(tmp_path: Path) -> None:
    with DecisionLogWriter(tmp_path) as ledger, pytest.raises(ValueError, match="no decision about 1 of"):
        ledger.write([change(1, "a"), change(2, "b")], words, [decided("a")])
    assert written(tmp_path) == (b"", b"")


Calls = Sequence[Sequence[HitChange]]


def replay(folder: Path, calls: Calls) -> None:
    """What the engine does when it starts: give the changes behind `last_seq`, batch by batch."""
    with DecisionLogWriter(folder) as ledger:
        stands = ledger.last_seq()
        for batch in calls:
            rest = [one for one in batch if one.seq > stands]
            if rest:
                ledger.write(rest, words, [decided(card) for card in sorted({c.hit.card for c in rest})])


def cut_and_replayed(folder: Path, calls: Calls, whole: tuple[bytes, bytes], kept: tuple[int, int]) -> None:
    for name, text, size in zip((HITS, DECISIONS), whole, kept, strict=True):
        (folder / name).write_bytes(text[:size])
    replay(folder, calls)
    assert written(folder) == whole, kept


CALLS: Calls = (
    [change(1, "8613800000001", calls=61), change(2, "8613800000002")],
    [change(3, "8613800000002", Change.REVISED, note="逐字"), change(4, "甲"), change(5, "8613800000002")],
)


def test_a_crash_at_any_byte_of_the_last_lines_loses_and_repeats_nothing(tmp_path: Path) -> None:
    replay(tmp_path, CALLS[:1])
    before = written(tmp_path)
    replay(tmp_path, CALLS)
    whole = written(tmp_path)
    assert [line["seq"] for line in lines(tmp_path / DECISIONS)] == [1, 2, 4, 5]
    for size in range(len(before[0]), len(whole[0]) + 1):
        cut_and_replayed(tmp_path, CALLS, whole, (size, len(before[1])))
    for size in range(len(before[1]), len(whole[1]) + 1):
        cut_and_replayed(tmp_path, CALLS, whole, (len(whole[0]), size))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    cards=st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), min_size=1, max_size=4),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_so_it_is_for_any_batches_and_wherever_both_files_are_cut(
    cards: list[list[str]], shares: tuple[float, float]
) -> None:
    seq, calls = 0, []
    for batch in cards:
        calls.append([change(seq + n, card) for n, card in enumerate(batch, 1)])
        seq += len(batch)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        replay(folder, calls)
        whole = written(folder)
        assert [line["seq"] for line in lines(folder / HITS)] == list(range(1, seq + 1))
        kept = int(shares[0] * len(whole[0])), int(shares[1] * len(whole[1]))
        cut_and_replayed(folder, calls, whole, kept)


def test_zeros_where_the_disk_lost_power_are_cut(tmp_path: Path) -> None:
    replay(tmp_path, CALLS)
    whole = written(tmp_path)
    last = whole[0].rindex(b"\n", 0, -1) + 1
    for tail in (bytes(100), whole[0][last : last + 9] + bytes(40), bytes(30) + b'x}\n{"se'):
        (tmp_path / HITS).write_bytes(whole[0][:last] + tail)
        replay(tmp_path, CALLS)
        assert written(tmp_path) == whole


def test_a_long_line_before_the_end_is_read_whole(tmp_path: Path) -> None:
    with DecisionLogWriter(tmp_path) as ledger:
        ledger.write([change(1, "a", long="x" * 200_000)], words, [decided("a")])
    with (tmp_path / HITS).open("ab") as file:
        file.write(b'{"seq": 2, "kind": "' + b"y" * 100_000)
    with DecisionLogWriter(tmp_path) as ledger:
        assert ledger.last_seq() == 1
    assert len(lines(tmp_path / HITS)) == 1


@pytest.mark.parametrize(
    "foreign", [b"my notes", b"my notes\n", b'{"seq": "one"}\n', b'["seq"]\n', b"\xff\xfe\n"]
)
def test_a_file_that_is_none_of_ours_is_left_as_it_is(tmp_path: Path, foreign: bytes) -> None:
    (tmp_path / DECISIONS).write_bytes(foreign)
    with pytest.raises(DuankaError, match="none of ours; move the file away"):
        DecisionLogWriter(tmp_path)
    assert (tmp_path / DECISIONS).read_bytes() == foreign


def test_a_full_disk_is_one_clear_line_and_costs_nothing(tmp_path: Path) -> None:
    replay(tmp_path / "whole", CALLS)
    whole = written(tmp_path / "whole")
    for size in (10, len(whole[1]) + 20, len(whole[0]) - 1):
        folder = tmp_path / f"room-{size}"
        with room_for(size), pytest.raises(DuankaError, match=r"cannot be written .*make room"):
            replay(folder, CALLS)
        assert all(text.endswith(b"\n") or not text for text in written(folder)), "nothing torn is left"
        replay(folder, CALLS)
        assert written(folder) == whole


def test_the_same_ledger_can_go_on_once_there_is_room(tmp_path: Path) -> None:
    with DecisionLogWriter(tmp_path) as ledger:
        with room_for(150), pytest.raises(DuankaError):
            ledger.write(CALLS[0], words, [decided("8613800000001"), decided("8613800000002")])
        ledger.write(CALLS[0], words, [decided("8613800000001"), decided("8613800000002")])
        assert ledger.last_seq() == 2
    assert [line["seq"] for line in lines(tmp_path / HITS)] == [1, 2]


def test_two_runs_do_not_write_into_each_other(tmp_path: Path) -> None:
    with DecisionLogWriter(tmp_path), pytest.raises(DuankaError, match="another run writes to it"):
        DecisionLogWriter(tmp_path)
    DecisionLogWriter(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DuankaError, match="file: cannot be made"):
        DecisionLogWriter(tmp_path / "file")
    (tmp_path / HITS).mkdir()
    with pytest.raises(DuankaError, match=r"hits\.jsonl: cannot be written \(Is a directory\)"):
        DecisionLogWriter(tmp_path)
