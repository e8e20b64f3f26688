"""Refused calls and messages in a store: by day, once each, kept as long as the policy says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from duanka.domain.network import Carried, Refusal, RefusalReason
from duanka.domain.record_keys import key_of
from duanka.domain.store_policy import StorePolicy
from duanka.engine.store.manifest import FileKind
from duanka.engine.store.record_store import RecordStore
from support.engine.store_deliveries import NOW
from support.engine.store_reading import on_disk, source

LATE_EVENING = datetime(2026, 3, 8, 15, 59, 59, tzinfo=UTC)  # 23:59:59 in China


def refusal(number: int, at: datetime, card: str = "8613800000001", peer: str = "95588") -> Refusal:
    return Refusal(
        "call_proxy", f"k{number}", at, Carried.CALL, card, peer, RefusalReason.BLOCKED_SENDER, "why"
    )


@pytest.mark.requirement("R7.1")
@pytest.mark.requirement("R7.2")
def test_a_refusal_is_stored_once_on_its_local_day(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "store")
    rows = [
        refusal(1, LATE_EVENING),
        refusal(2, LATE_EVENING + timedelta(seconds=1), card="sip:anonymous", peer=""),
        refusal(1, LATE_EVENING),
    ]
    with store.writing(NOW) as writer:
        added = writer.add_refusals(rows)
        writer.commit()
    assert (added.new, added.repeated, added.late) == (2, 1, 0)
    assert store.manifest().days_of(FileKind.REFUSALS) == [date(2026, 3, 8), date(2026, 3, 9)]
    with store.writing(NOW) as writer:
        added = writer.add_refusals([*rows, refusal(3, LATE_EVENING)])
        writer.commit()
    assert (added.new, added.repeated) == (1, 3)
    kept = duckdb.execute(
        f"SELECT key, card, refused_at, peer FROM {source(store, FileKind.REFUSALS)} ORDER BY key"
    ).fetchall()
    assert kept == [
        ("k1", 8613800000001, datetime(2026, 3, 8, 23, 59, 59), 95588),
        ("k2", key_of("sip:anonymous"), datetime(2026, 3, 9), None),
        ("k3", 8613800000001, datetime(2026, 3, 8, 23, 59, 59), 95588),
    ]
    texts = duckdb.execute(f"FROM {source(store, FileKind.TEXTS)}").fetchall()
    assert texts == [(key_of("sip:anonymous"), "sip:anonymous")]


def test_refusals_are_counted_by_reason_within_their_time(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "store")
    message = Refusal("message_proxy", "m", LATE_EVENING, Carried.MESSAGE, "1", "2", RefusalReason.TEXT)
    with store.writing(NOW) as writer:
        writer.add_refusals(
            [refusal(1, LATE_EVENING), refusal(2, LATE_EVENING + timedelta(hours=9)), message]
        )
        writer.commit()
    calls, texts = (Carried.CALL, RefusalReason.BLOCKED_SENDER), (Carried.MESSAGE, RefusalReason.TEXT)
    assert store.refused(datetime(2026, 3, 8), datetime(2026, 3, 10)) == {calls: 2, texts: 1}
    assert store.refused(datetime(2026, 3, 8), datetime(2026, 3, 9)) == {calls: 1, texts: 1}
    assert store.refused(datetime(2026, 3, 9, 0), datetime(2026, 3, 9, 8, 59, 59)) == {}
    assert store.refused(datetime(2027, 3, 8), datetime(2027, 3, 9)) == {}


def test_refusals_older_than_kept_are_gone_and_come_too_late(tmp_path: Path) -> None:
    store, policy = RecordStore(tmp_path / "store"), StorePolicy(keep_refusals_days=30)
    rows = [refusal(1, LATE_EVENING), refusal(2, LATE_EVENING - timedelta(days=31))]
    with store.writing(NOW) as writer:
        writer.add_refusals(rows)
        writer.purge(NOW.date(), policy)
        writer.commit()
    assert store.manifest().days_of(FileKind.REFUSALS) == [date(2026, 3, 8)]
    assert on_disk(store) == set(store.manifest().files)
    with store.writing(NOW) as writer:
        assert writer.add_refusals(rows).late == 1
