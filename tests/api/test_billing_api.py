"""Events for billing over HTTP: a reader goes on by `next`, and hears of a restored backup."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duanka.domain.order import Role
from duanka.ledger.db.database import Store
from support.api.desks import Caller, TestDesk, callers, card, desk_on
from support.orders.books import POLICE, backup_of, restore


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[tuple[TestDesk, Caller]]:
    store = Store(f"sqlite:///{tmp_path}/orders.sqlite")
    desk = desk_on(store)
    with callers(desk.api()) as calling:
        yield desk, calling(desk.given[Role.DESK])
    store.close()


def _stopped(desk: TestDesk, number: int) -> None:
    desk.orders.police_stop(card(number), "A1", POLICE, "notice", desk.clock())


def test_next_leads_on_until_a_backup_is_restored(reading: tuple[TestDesk, Caller]) -> None:
    desk, caller = reading
    where = "/billing-events"
    assert caller.get(where).json() == {"items": [], "next": "0"}
    for wrong in ("-1", "x", "1-", "1-0123", "01"):
        assert caller.get(where, after=wrong).status_code == 400
    _stopped(desk, 0)
    first = caller.get(where).json()
    backup = backup_of(desk.store)
    _stopped(desk, 1)
    second = caller.get(where, after=first["next"]).json()
    assert [one["id"] for one in (*first["items"], *second["items"])] == [1, 2]
    assert second["next"] == second["items"][-1]["cursor"]
    assert caller.get(where, after=second["next"]).json() == {"items": [], "next": second["next"]}
    restore(desk.store, backup)
    for number in (None, 2):  # before, and after its id is given again
        if number:
            _stopped(desk, number)
        refused = caller.get(where, after=second["next"])
        assert (refused.status_code, refused.json()["code"]) == (409, "CONFLICT")
        assert "a backup of the order database was restored" in refused.json()["message"]
    again = caller.get(where, since=desk.clock().isoformat()).json()
    assert [one["phoneNumber"] for one in again["items"]] == [f"+{card(0)}", f"+{card(2)}"]
    assert caller.get(where, after=again["next"]).json()["items"] == []
    assert caller.get(where, after=again["next"], since=desk.clock().isoformat()).status_code == 409
