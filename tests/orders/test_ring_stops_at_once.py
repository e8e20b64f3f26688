"""Two people propose a stop of one ring in the same moment: its cards are in one proposal."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import Connection

from duanka.domain.order import Event, NoSuchTransition, Person, Role
from duanka.domain.ring_lookups import SeedName
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.orders import ring_stops
from duanka.orders.bulk_actions.standing import standing_stops
from support.api.desks import NOW, desk_on
from support.waiting import HANG

STOP = ring_stops.RingStop(Event.SUSPEND, BilingualText("被盗", "stolen"))


def test_of_two_at_once_one_proposes_and_the_other_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desk_on(store)
    ring = desk.graph.around(SeedName("ring", "R00002"))
    both_looked = Barrier(2, timeout=HANG)

    def looked(connection: Connection, event: Event, numbers: Iterable[str]) -> dict[str, str]:
        found = standing_stops(connection, event, numbers)
        if not found:  # who begins again finds the other's
            both_looked.wait()
        return found

    def propose(name: str) -> str:
        by = Person(name, Role.DESK)
        try:
            return ring_stops.propose_ring_stop(desk.bulk_actions, ring, STOP, by, NOW).act.id
        except NoSuchTransition as error:
            return str(error)

    monkeypatch.setattr(ring_stops, "standing_stops", looked)
    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(propose, ("the clerk", "another clerk")))
    assert told[0] == f"3 of them are already in {told[1]}, and none is left: nothing is proposed"
    assert desk.bulk_actions.get(told[1]).total == 3
