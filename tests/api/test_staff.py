"""What the staff do over HTTP: look again at a check, and verify in person with a second pair of eyes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from duanka.domain.order import Kind, Order, Role
from support.api.asking import on_sqlite_alone, own_calling, own_desk, own_people
from support.api.desks import NOW, Caller, TestDesk, demand
from support.api.recordings import recording
from support.api.verifications import DARK, UNSURE
from support.orders.books import receive

desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)
people = pytest.fixture(own_people)

Calling = Callable[[str | None], Caller]
People = Mapping[Role, Caller]
DESK, SUPERVISOR, REGULATOR = Role.DESK, Role.SUPERVISOR, Role.REGULATOR
SEEN = {
    "document": "id_card",
    "counter": "长安路营业厅",
    "why": "came in person",
    "personPresent": True,
    "cardInHand": True,
    "noticeSigned": True,
}


def under_review(desk: TestDesk, calling: Calling, number: int) -> str:
    """A verification that the check left to a person, after one that was too dark; the picture that it kept."""
    session = calling(desk.sits(number))
    kept = ""
    for verdict in (DARK, UNSURE):
        challenge = session.post("/holder/challenge", {}).json()["challengeId"]
        desk.clock.now += timedelta(seconds=4)
        body = recording(challenge)
        assert session.post("/holder/check", body).status_code == 202
        desk.way.queue.judge(verdict)
        kept = str(body["frames"][3]["jpeg"])
    return kept


def of_tier(desk: TestDesk, number: int, tier: str) -> Order:
    receive(desk.orders, [replace(demand(number), tier=tier)], NOW)
    order = desk.reading.last(demand(number).card, Kind.VERIFICATION)
    assert order is not None
    return order


def test_a_person_looks_again_and_decides(desk: TestDesk, calling: Calling, people: People) -> None:
    kept = [under_review(desk, calling, number) for number in (1, 2)]
    works = people[DESK]
    first = works.get("/reviews", limit=1).json()
    second = works.get("/reviews", limit=1, after=first["next"]).json()
    assert second["next"] is None
    [one], [other] = first["items"], second["items"]
    assert (one["phoneNumber"], other["phoneNumber"]) == ("+86 130****0001", "+86 130****0002"), (
        "the oldest first"
    )
    assert (one["similarity"], one["reasons"], one["failures"]) == (0.4, ["unsure"], 0)
    path = f"/reviews/{one['orderId']}/pictures"
    assert works.post(path, {"why": " "}).status_code == 400
    assert people[REGULATOR].post(path).status_code == 403
    file = works.post(path, {"why": "to compare"}).json()
    assert (base64.b64decode(file["reference"]), file["captured"]) == (b"a photo", kept[0])
    assert (file["similarity"], file["reasons"]) == (0.4, ["unsure"])
    assert (file["reviewFrom"], file["passesFrom"]) == (0.36, 0.45)
    assert [(was["outcome"], was["reasons"], was["counted"]) for was in file["earlier"]] == [
        ("failed", ["too_dark"], False)
    ]
    passed = works.post(f"/orders/{one['orderId']}/pass", {"why": "the same person"})
    assert passed.json()["state"] == "passed"
    assert [left["orderId"] for left in works.get("/reviews").json()["items"]] == [other["orderId"]]
    assert works.post(path).status_code == 409, "nobody need look any more"
    seen = [
        told
        for told in works.get(f"/orders/{one['orderId']}").json()["trail"]
        if told["what"] == "pictures.seen"
    ]
    assert [(told["who"], told["why"]) for told in seen] == [("the.desk", "to compare")]


def test_in_person_one_of_the_staff_is_enough_for_most(desk: TestDesk, people: People) -> None:
    order = of_tier(desk, 1, "medium")
    path = f"/orders/{order.id}/counter-check"
    answer = people[DESK].post(path, SEEN)
    assert answer.status_code == 200
    assert (answer.json()["order"]["state"], answer.json()["waitsForSecondPerson"]) == ("passed", False)
    assert people[DESK].post(path, SEEN).status_code == 409
    assert people[DESK].get("/counter-checks").json() == {"items": [], "next": None}


def test_in_person_some_tiers_take_two(desk: TestDesk, people: People) -> None:
    order = of_tier(desk, 1, "extreme")
    path = f"/orders/{order.id}/counter-check"
    first = people[DESK].post(path, SEEN).json()
    assert (first["order"]["state"], first["waitsForSecondPerson"]) == ("in_progress", True)
    assert first["order"]["dueAt"] is None
    [waits] = people[SUPERVISOR].get("/counter-checks").json()["items"]
    assert (waits["orderId"], waits["firstBy"], waits["counter"]) == (order.id, "the.desk", "长安路营业厅")
    assert waits["phoneNumber"] == "+86 130****0001"
    alone = people[DESK].post(f"{path}/confirm")
    assert (alone.status_code, alone.json()["code"]) == (403, "PERMISSION_DENIED")
    assert people[SUPERVISOR].post(f"{path}/reject").json()["state"] == "in_progress"
    assert people[SUPERVISOR].post(f"{path}/confirm").status_code == 409, "what was recorded is gone"
    people[DESK].post(path, SEEN)
    for _ in range(2):
        assert people[SUPERVISOR].post(f"{path}/confirm").json()["state"] == "passed"


@on_sqlite_alone
@pytest.mark.parametrize("lacks", ["personPresent", "cardInHand", "noticeSigned"])
def test_in_person_what_is_missing_is_named(desk: TestDesk, people: People, lacks: str) -> None:
    order = of_tier(desk, 1, "medium")
    path = f"/orders/{order.id}/counter-check"
    refused = people[DESK].post(path, SEEN | {lacks: False})
    assert (refused.status_code, refused.json()["code"]) == (409, "CONFLICT")
    assert "Nothing is stored" in refused.json()["message"]
    without: dict[str, Any] = {name: value for name, value in SEEN.items() if name != lacks}
    assert people[DESK].post(path, without).status_code == 400
    number = people[DESK].post(path, SEEN | {"counter": "11010519491231002X"})
    assert number.status_code == 409
    assert "11010519491231002X" not in number.text
