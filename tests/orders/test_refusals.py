"""What the network refused, recorded once whatever crashes in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from duanka.domain.network import Carried, Refusal, RefusalReason
from duanka.domain.order import SYSTEM
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import refusals
from duanka.ledger.figures.refused import by_reason
from duanka.network.refusal_store import RefusedFile
from duanka.network.sms.element import MessageProxy
from duanka.orders.monitoring.refusals import RefusalCollector
from support.orders.books import NOW, card
from support.refusal_sources import LosesNothing

HOUR = timedelta(hours=1)


def refusal(number: int, **changes: object) -> Refusal:
    facts: dict[str, object] = {
        "element": "call_proxy",
        "key": f"call-{number}",
        "at": NOW + number * HOUR,
        "carried": Carried.CALL,
        "card": card(number),
        "peer": "95588",
        "reason": RefusalReason.BLOCKED_SENDER,
    }
    return Refusal(**{**facts, **changes})  # type: ignore[arg-type]


@dataclass
class Source(LosesNothing):
    """Keeps what it refused until it is told that it need not."""

    kept: dict[int, Refusal] = field(default_factory=dict)
    name: str = "call_proxy"
    crashes: bool = False

    def refusals(self, after: int, limit: int) -> tuple[Sequence[Refusal], int]:
        found = {at: one for at, one in sorted(self.kept.items()) if at > after}
        some = dict(list(found.items())[:limit])
        return list(some.values()), max(some, default=after)

    def forget(self, before: int) -> None:
        if self.crashes:
            raise OSError("killed")
        self.kept = {at: one for at, one in self.kept.items() if at > before}


def count(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(refusals)).scalar_one()


def test_each_is_recorded_once_and_then_forgotten_there(store: Store) -> None:
    source = Source({at: refusal(at) for at in range(1, 2501)})
    reader = RefusalCollector(store, source)
    assert reader.read(NOW)
    assert reader.read(NOW)
    assert not reader.read(NOW)
    assert count(store) == 2500
    assert source.kept == {}
    source.kept = {2501: refusal(7), 2502: refusal(9000)}  # the same call, told again
    reader.read(NOW)
    assert count(store) == 2501


def test_a_crash_before_it_is_forgotten_records_nothing_twice(store: Store) -> None:
    source = Source({1: refusal(1)}, crashes=True)
    with pytest.raises(OSError, match="killed"):
        RefusalCollector(store, source).read(NOW)
    source.crashes = False
    RefusalCollector(store, source).read(NOW)
    assert (count(store), source.kept) == (1, {})


def test_a_proxy_with_a_new_folder_loses_nothing(store: Store, tmp_path: Path) -> None:
    """Its positions begin again: what the old file had is no word about the new one."""
    path = tmp_path / "refused.sqlite"
    proxy = MessageProxy(tmp_path)
    for which, many in (("old", 20), ("new", 7), ("newest", 30)):
        path.unlink(missing_ok=True)
        file = RefusedFile(path, "message_proxy", Carried.MESSAGE)
        file.make()
        file.add((f"{which}-{at}", NOW.timestamp(), card(1), "95588", "text", "") for at in range(many))
        RefusalCollector(store, proxy).read(NOW)
        assert proxy.refusals(0, 100)[0] == []  # recorded, and only then forgotten
    assert count(store) == 57


def test_what_the_network_wrote_may_be_anything(store: Store) -> None:
    odd = {"card": "sip:" + "9" * 90, "peer": "", "detail": "a\0b"}
    source = Source({at: refusal(at, key="k" * 500 + str(at), **odd) for at in (1, 2)})
    RefusalCollector(store, source).read(NOW)
    assert count(store) == 2


def test_they_are_counted_by_reason_in_a_period(store: Store) -> None:
    text = {"carried": Carried.MESSAGE, "reason": RefusalReason.TEXT}
    source = Source({1: refusal(1), 2: refusal(2), 3: refusal(3, **text), 4: refusal(4)})
    RefusalCollector(store, source).read(NOW)
    with store.reading() as connection:
        counted = by_reason(connection, NOW + HOUR, NOW + 4 * HOUR, SYSTEM)
    assert counted == {
        (Carried.CALL, RefusalReason.BLOCKED_SENDER): 2,
        (Carried.MESSAGE, RefusalReason.TEXT): 1,
    }
