"""Lookups by HTTP: the same answers and refusals as by command, page by page."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from duanka.domain.order import Role
from duanka.domain.record_lookups import LookupRefused
from support.api.asking import one_store, own_calling, own_desk, own_people
from support.api.desks import Caller, TestDesk, card, phone
from support.invented_lookups import DEVICE, PEER

store = pytest.fixture(one_store)
desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)
people = pytest.fixture(own_people)

BASIS = {"why": "the bank asked", "caseNumber": "7"}
RECORDS = "/cards/retrieve-records"
People = Mapping[Role, Caller]


def test_records_come_with_their_offset_masked_and_page_by_page(people: People) -> None:
    asked = {**BASIS, "phoneNumber": phone(), "limit": 2}
    first = people[Role.POLICE].post(RECORDS, asked).json()
    assert first["phoneNumber"] == "+86 130****0000"
    assert (first["total"], first["next"], len(first["items"])) == (3, "2", 2)
    assert first["period"] == {
        "since": "2026-01-31T00:00:00+08:00",
        "until": "2026-03-02T00:00:00+08:00",
        "zone": "Asia/Shanghai",
        "firstDay": "2026-03-01",
        "lastDay": "2026-03-01",
    }
    call = first["items"][0]
    assert (call["at"], call["usage"], call["seconds"]) == ("2026-03-01T09:30:00+08:00", "calls", 60)
    assert (call["peer"], call["imei"], call["cell"]) == (
        "+86 139****9000",
        "86012304****001",
        "46000123",
    )
    rest = people[Role.POLICE].post(RECORDS, {**asked, "after": first["next"]}).json()
    assert (len(rest["items"]), rest["next"], rest["items"][0]["bytes"]) == (1, None, 1_500_000)


def test_in_full_where_it_is_asked_for(people: People) -> None:
    whole = people[Role.DESK].post(RECORDS, {**BASIS, "phoneNumber": phone(), "unmask": True}).json()
    assert whole["phoneNumber"] == phone()
    assert (whole["items"][0]["peer"], whole["items"][0]["imei"]) == (f"+{PEER}", DEVICE)


def test_contacts_of_several_numbers(desk: TestDesk, people: People) -> None:
    asked = {**BASIS, "phoneNumbers": [phone(), "95588"], "hours": 24, "until": "2026-03-01T12:00:00+08:00"}
    found = people[Role.DESK].post("/contacts/retrieve", asked).json()
    assert [(one["number"], one["other"]) for one in found["items"]] == [
        ("+86 130****0000", "+86 139****9000"),
        ("+86 130****0000", None),
        ("95588", "+86 139****9000"),
        ("95588", None),
    ]
    assert found["items"][0]["first"] == "2026-03-01T09:30:00+08:00"
    assert desk.store_of_records.asked[0][0] == (card(), "95588")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"caseNumber": None}, 409),
        ({"policeNotice": "2"}, 409),
        ({"caseNumber": None, "orderId": "V000000000000"}, 404),
        ({"why": " "}, 400),
        ({"days": 0}, 400),
        ({"days": 181}, 400),
        ({"unmask": "yes"}, 400),
        ({"after": "-1"}, 400),
        ({"numbers": ["1"]}, 400),
    ],
)
def test_what_is_wrong_looks_nothing_up(
    desk: TestDesk, people: People, change: dict[str, object], status: int
) -> None:
    answer = people[Role.DESK].post(RECORDS, {**BASIS, "phoneNumber": phone(), **change})
    assert answer.status_code == status, answer.text
    assert not desk.store_of_records.asked


def test_a_regulator_sees_what_the_store_holds_and_no_card(desk: TestDesk, people: People) -> None:
    regulator = people[Role.REGULATOR]
    status = regulator.get("/record-store")
    assert status.json()["tables"][0]["records"] == 1
    assert status.json()["committedAt"] == "2026-03-01T09:30:00+08:00"
    assert regulator.post(RECORDS, {**BASIS, "phoneNumber": phone()}).status_code == 403
    assert regulator.post("/contacts/retrieve", {**BASIS, "phoneNumbers": [phone()]}).status_code == 403
    assert not desk.store_of_records.asked


def test_without_an_attached_store_nothing_is_answered(
    desk: TestDesk, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise LookupRefused("no store is named")

    monkeypatch.setattr(desk.records, "_source", refuse)
    for answer in (
        people[Role.DESK].post(RECORDS, {**BASIS, "phoneNumber": phone()}),
        people[Role.DESK].get("/record-store"),
    ):
        assert (answer.status_code, answer.json()["message"]) == (409, "no store is named")
