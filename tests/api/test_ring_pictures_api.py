"""The picture of a ring by HTTP: masked, in the trail, with orders for who may read them, and on from a mark."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from sqlalchemy import select

from duanka.domain.order import Kind, Role
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.ring_lookups import SeedName
from duanka.domain.text import BilingualText
from duanka.ledger.db.tables import audit
from support.api.asking import own_calling, own_desk, own_people
from support.api.desks import NOW, Caller, TestDesk
from support.invented_rings import BOX, ring_card
from support.orders.books import receive

desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)
people = pytest.fixture(own_people)

PICTURE = "/rings/retrieve-picture"
ASKED = {"why": "the police seized it", "caseNumber": "7", "ring": "R00001"}
People = Mapping[Role, Caller]


def looked_up(desk: TestDesk) -> list[tuple[str, str]]:
    columns = audit.c.what, audit.c.subject
    with desk.store.reading() as reading:
        query = select(*columns).where(audit.c.what.like("lookup.%")).order_by(audit.c.seq)
        return [tuple(row) for row in reading.execute(query)]


def order_of_card(desk: TestDesk, card: str, number: int) -> str:
    reason = BilingualText("一天外呼80个陌生号码", "80 strangers called")
    asked = OrderDecision(
        card, RequestedAction.VERIFY, "medium", reason, ("fan_out",), id=f"0123456789abcdef:{number}"
    )
    receive(desk.orders, [asked], NOW)
    order = desk.orders.transaction(lambda unit: unit.open_order(card, Kind.VERIFICATION), NOW)
    assert order is not None
    return order.id


def test_it_comes_masked_with_every_card_and_one_lookup_in_the_trail(desk: TestDesk, people: People) -> None:
    answer = people[Role.DESK].post(PICTURE, ASKED)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert shown["cards"]["phoneNumbers"] == [f"+86 137****{number:04}" for number in range(4)]
    assert shown["cards"]["by"][0] == "+86 137****0000"
    assert (shown["seed"], shown["joined"], shown["marks"]) == ("R00001", 3, 2)
    assert shown["nodes"][0]["members"] == [0, 1, 2, 3]
    assert shown["clusters"][0]["openHeight"] == 95.0
    columns = {len(column) for name, column in shown["cards"].items() if name != "reasons"}
    assert columns == {4}, "of equal length"
    assert BOX not in answer.text
    assert ring_card(0)[2:] not in answer.text
    assert looked_up(desk) == [("lookup.ring", "R00001"), ("lookup.rows", "R00001")]


def test_numbers_in_full_where_they_are_asked_for(desk: TestDesk, people: People) -> None:
    shown = people[Role.DESK].post(PICTURE, {**ASKED, "unmask": True}).json()
    assert shown["cards"]["phoneNumbers"][1] == f"+{ring_card(1)}"


def test_a_card_is_named_by_its_order_for_who_may_read_orders(desk: TestDesk, people: People) -> None:
    order = order_of_card(desk, ring_card(1), 1)
    assert people[Role.SUPERVISOR].post(PICTURE, ASKED).json()["cards"]["orderIds"] == ["", order, "", ""]
    assert people[Role.POLICE].post(PICTURE, ASKED).json()["cards"]["orderIds"] == ["", "", "", ""]


def test_from_a_mark_on_it_grows_without_the_number_and_both_stand_in_the_trail(
    desk: TestDesk, people: People
) -> None:
    answer = people[Role.DESK].post(PICTURE, {**ASKED, "marks": ["g0", "c2"]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["seed"] == "+86 137****0002"
    assert BOX not in answer.text
    assert desk.graph.asked == [
        SeedName("ring", "R00001"),
        SeedName("device", BOX),
        SeedName("card", ring_card(2)),
    ]
    assert [subject for what, subject in looked_up(desk) if what == "lookup.ring"] == [
        "R00001",
        BOX,
        ring_card(2),
    ]


def test_files_and_stops_go_on_from_a_mark_too(desk: TestDesk, people: People) -> None:
    file = {**ASKED, "marks": ["g0"], "file": "ring.csv"}
    assert people[Role.DESK].post("/rings/retrieve-file", file).status_code == 200
    stop = {
        "caseNumber": "7",
        "ring": "R00001",
        "marks": ["g0"],
        "reason": {"zh": "团伙停机", "en": "a ring"},
    }
    assert people[Role.DESK].post("/rings/propose-stop", stop).status_code == 201
    assert desk.graph.asked == [SeedName("ring", "R00001"), SeedName("device", BOX)] * 2


@pytest.mark.parametrize(
    ("marks", "status"),
    [(["g1"], 404), (["c9"], 404), (["x1"], 400), (["g"], 400), (["g0"] * 6, 400), ([["g0"]], 400)],
)
def test_a_mark_that_leads_nowhere_is_refused(
    desk: TestDesk, people: People, marks: list[object], status: int
) -> None:
    answer = people[Role.DESK].post(PICTURE, {**ASKED, "marks": marks})
    assert answer.status_code == status, answer.text


def test_who_may_not_look_up_sees_no_picture(desk: TestDesk, people: People) -> None:
    assert people[Role.REGULATOR].post(PICTURE, ASKED).status_code == 403
    assert not desk.graph.asked
