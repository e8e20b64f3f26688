"""By the API too a counter elsewhere needs the order number that the holder brought."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.order import Kind, Order, Role
from duanka.domain.person import Scope
from duanka.ledger.db.database import Store
from support.api.desks import Caller, TestDesk, callers, card, demand, desk_on, phone
from support.orders.books import receive

WRONG = "R0123456789AB"
THERE, FREE = 0, 1


@pytest.fixture
def near(tmp_path: Path) -> Iterator[tuple[TestDesk, Caller, Order]]:
    """Somebody of another city than the card about which a verification is open."""
    store = Store(f"sqlite:///{tmp_path}/orders.sqlite")
    desk = desk_on(store)
    receive(desk.orders, [replace(demand(THERE), operator="河北移动", city="唐山")], desk.clock())
    asked = desk.reading.last(card(THERE), Kind.VERIFICATION)
    assert asked
    key = desk.people.add("near", Role.DESK, Scope(frozenset({"河北移动"}), frozenset({"石家庄"})))
    with callers(desk.api()) as calling:
        yield desk, calling(key), asked
    store.close()


def _objection(number: int, brought: str | None) -> dict[str, object]:
    visit = {"counter": "长安路营业厅", "document": "id_card"} | ({"orderId": brought} if brought else {})
    return {"phoneNumber": phone(number), "text": "这是我本人", "visit": visit}


def test_an_objection_takes_the_order_number_of_the_notice(near: tuple[TestDesk, Caller, Order]) -> None:
    _, clerk, asked = near
    without = [clerk.post("/objections", _objection(number, None)) for number in (THERE, FREE)]
    assert [one.status_code for one in without] == [403, 403]
    assert without[0].json() == without[1].json()
    wrong = [clerk.post("/objections", _objection(number, WRONG)) for number in (THERE, FREE)]
    assert [one.status_code for one in wrong] == [404, 404]
    assert wrong[0].json() == wrong[1].json()
    assert clerk.post("/objections", _objection(THERE, "7")).status_code == 400
    right = clerk.post("/objections", _objection(THERE, f"{asked.id[:5].lower()} {asked.id[5:]}"))
    assert (right.status_code, right.json()["kind"]) == (200, "objection"), right.text


def test_too_many_wrong_ones_are_429_and_say_when_to_try_again(near: tuple[TestDesk, Caller, Order]) -> None:
    _, clerk, asked = near
    for _ in range(IdentityPolicy().unlinked_tries):
        assert clerk.post("/objections", _objection(THERE, WRONG)).status_code == 404
    for brought in (WRONG, asked.id):
        refused = clerk.post("/objections", _objection(THERE, brought))
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3600")


def test_a_second_confirms_by_the_number_of_the_stop_and_again_gives_the_state(
    near: tuple[TestDesk, Caller, Order],
) -> None:
    desk, clerk, asked = near
    check: dict[str, object] = {"document": "id_card", "counter": "长安路营业厅", "why": "here"}
    check |= {"personPresent": True, "cardInHand": True, "noticeSigned": True}
    unknown = clerk.post(f"/orders/{WRONG}/counter-check", check)
    assert unknown.status_code == 404
    for step in ("confirm", "reject"):
        assert clerk.post(f"/orders/{WRONG}/counter-check/{step}", {"why": "w"}).status_code == 404
    assert clerk.post(f"/orders/{asked.id}/counter-check", check).status_code == 200
    assert desk.reading.state(asked.id).state == "passed"
