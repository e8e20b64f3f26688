"""Rings by HTTP: who may, masked, in the trail, page by page of one graph."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from sqlalchemy import select

from duanka.api.http.language import language_of
from duanka.domain.order import Role
from duanka.domain.person import Scope
from duanka.domain.record_lookups import LookupRefused
from duanka.domain.ring_lookups import SeedName, TooManyRings
from duanka.ledger.db.tables import audit
from support.api.asking import Calling, one_store, own_calling, own_desk, own_people
from support.api.desks import Caller, TestDesk
from support.invented_rings import BOX, EDITION, NOWHERE, ring_card

store = pytest.fixture(one_store)
desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)
people = pytest.fixture(own_people)

BASIS = {"why": "the police seized it", "caseNumber": "7"}
RING = "/rings/retrieve"
People = Mapping[Role, Caller]


def trail(desk: TestDesk) -> list[tuple[str, str, str, str]]:
    columns = audit.c.what, audit.c.subject, audit.c.why, audit.c.after
    with desk.store.reading() as reading:
        query = select(*columns).where(audit.c.what.like("lookup.%")).order_by(audit.c.seq)
        return [tuple(row) for row in reading.execute(query)]


def test_the_ring_behind_a_device_comes_masked_and_page_by_page(desk: TestDesk, people: People) -> None:
    asked = {**BASIS, "imei": f"{BOX}7", "limit": 3}
    answer = people[Role.POLICE].post(RING, asked)
    first = answer.json()
    assert (first["joined"], first["total"], first["next"], first["deviceTotal"]) == (3, 4, f"{EDITION}-3", 1)
    assert first["days"] == {"firstDay": "2026-03-01", "lastDay": "2026-03-05", "zone": "Asia/Shanghai"}
    assert first["items"][0] == {
        "phoneNumber": "+86 137****0000",
        "role": "box_card",
        "site": "130100/46000123",
        "certainty": 0.96,
        "joined": True,
        "reasons": {
            "zh": "与团伙的 3 张卡轮流使用终端 860****0001（经由 +86 137****0000）",
            "en": "took turns in device 860****0001 with 3 cards of the ring (by way of +86 137****0000)",
        },
    }
    assert first["devices"][0]["imei"] == "86012304****001"
    assert first["outlets"][0]["outlet"] == "S-1"
    assert BOX not in answer.text
    assert ring_card(0)[2:] not in answer.text
    rest = people[Role.POLICE].post(RING, {**asked, "after": first["next"]}).json()
    assert (len(rest["items"]), rest["next"], rest["items"][0]["joined"]) == (1, None, False)
    assert desk.graph.asked == [SeedName("device", BOX)] * 2
    told = [(what, subject, why) for what, subject, why, _ in trail(desk)]
    assert told == [("lookup.ring", BOX, "7 · the police seized it"), ("lookup.rows", BOX, "7")] * 2
    assert json.loads(trail(desk)[0][3]) == {"basis": "case", "seed": "device", "unmasked": False}


def test_in_full_where_it_is_asked_for_which_the_trail_says(desk: TestDesk, people: People) -> None:
    asked = {**BASIS, "phoneNumber": f"+{ring_card(1)}", "unmask": True}
    whole = people[Role.DESK].post(RING, asked).json()
    assert whole["items"][0]["phoneNumber"] == f"+{ring_card(0)}"
    assert (whole["devices"][0]["imei"], whole["seed"]) == (BOX, ring_card(1))
    assert json.loads(trail(desk)[0][3])["unmasked"] is True


def test_pages_of_two_graphs_do_not_mix(desk: TestDesk, people: People) -> None:
    following = people[Role.DESK].post(RING, {**BASIS, "imei": BOX, "limit": 1}).json()["next"]
    listed = people[Role.DESK].get("/rings", limit=2).json()
    assert [one["ring"] for one in listed["items"]] == ["R00001", "R00002"]
    assert people[Role.DESK].get("/rings", after=listed["next"]).json()["items"][0]["ring"] == "R00003"
    desk.graph.edition = "ba9876543210"
    for answer in (
        people[Role.DESK].post(RING, {**BASIS, "imei": BOX, "after": following}),
        people[Role.DESK].get("/rings", after=listed["next"]),
    ):
        assert (answer.status_code, "built anew" in answer.json()["message"]) == (409, True)


def test_a_regulator_sees_rings_and_outlets_and_no_card(desk: TestDesk, people: People) -> None:
    regulator = people[Role.REGULATOR]
    (outlet,) = regulator.get("/outlets").json()["items"]
    assert (outlet["outlet"], outlet["named"], outlet["lowerBound"]) == ("S-1", True, 14.1)
    assert regulator.get("/rings").json()["total"] == 3
    assert regulator.post(RING, {**BASIS, "imei": BOX}).status_code == 403
    assert not desk.graph.asked
    assert not trail(desk)


def test_who_works_for_a_city_alone_sees_neither(desk: TestDesk, calling: Calling) -> None:
    key = desk.people.add("the.local", Role.DESK, Scope(cities=frozenset({"130100"})))
    local = calling(key)
    answers = (local.post(RING, {**BASIS, "imei": BOX}), local.get("/rings"), local.get("/outlets"))
    assert [one.status_code for one in answers] == [403] * 3
    assert "only who works for all of them" in answers[0].json()["message"]
    assert not desk.graph.asked
    assert not trail(desk)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"caseNumber": None}, 409),
        ({"policeNotice": "2"}, 409),
        ({"caseNumber": None, "orderId": "V000000000000"}, 404),
        ({"imei": None}, 409),
        ({"phoneNumber": "13700000001"}, 409),
        ({"why": " "}, 400),
        ({"ring": "none"}, 400),
        ({"outlet": "a\nb", "imei": None}, 400),
        ({"unmask": "yes"}, 400),
        ({"after": "3"}, 400),
        ({"limit": 10_001}, 400),
    ],
)
def test_what_is_wrong_grows_nothing(
    desk: TestDesk, people: People, change: dict[str, object], status: int
) -> None:
    answer = people[Role.DESK].post(RING, {**BASIS, "imei": BOX, **change})
    assert answer.status_code == status, answer.text
    assert not desk.graph.asked
    assert not trail(desk)


FILE = "/rings/retrieve-file"


def test_a_file_of_the_ring_is_one_lookup_masked_and_in_the_language_asked_for(
    desk: TestDesk, people: People
) -> None:
    asked = {**BASIS, "imei": BOX, "file": "ring.html"}
    page = people[Role.POLICE].post(FILE, asked)
    assert page.status_code == 200, page.text
    assert (
        page.text
        == "ring.html +86 137****0000 与团伙的 3 张卡轮流使用终端 860****0001（经由 +86 137****0000） of ?"
    )
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-disposition"] == 'attachment; filename="ring.html"'
    assert (page.headers["content-language"], page.headers["cache-control"]) == ("zh", "no-store")
    table = people[Role.DESK].post(
        FILE, {**asked, "file": "ring.csv"}, **{"Accept-Language": "en-GB, zh;q=0.5"}
    )
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.headers["content-language"] == "en"
    assert "ring.csv +86 137****0000 took turns in device 860****0001 with" in table.text
    whole = people[Role.DESK].post(FILE, {**asked, "file": "devices.csv", "unmask": True})
    assert f"devices.csv {ring_card(0)} 与团伙的 3 张卡轮流使用终端 {BOX}" in whole.text
    told = [(what, why) for what, _, why, _ in trail(desk)]
    assert told == [("lookup.ring", "7 · the police seized it"), ("lookup.rows", "7")] * 3
    assert [json.loads(after).get("unmasked") for *_, after in trail(desk)] == [
        False,
        None,
        False,
        None,
        True,
        None,
    ]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        *((None, "zh"), ("", "zh"), ("fr", "zh"), ("fr, en;q=0.1", "en"), ("*", "zh"), ("EN", "en")),
        *(("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("en;q=0.8, zh-Hans;q=0.9", "zh"), ("en, zh", "en")),
        *(
            ("en;q=0", "zh"),
            ("en;q=x", "zh"),
            ("en;q=inf,zh", "en"),
            (",;,=", "zh"),
            ("xx," * 30 + "en", "zh"),
        ),
    ],
)
def test_chinese_unless_english_weighs_more(accepted: str | None, language: str) -> None:
    assert language_of(accepted) == language


def test_files_are_refused_as_rings_are(desk: TestDesk, people: People, calling: Calling) -> None:
    asked = {**BASIS, "imei": BOX, "file": "ring.csv"}
    local = desk.people.add("the.local", Role.DESK, Scope(cities=frozenset({"130100"})))
    refused = {
        people[Role.REGULATOR].post(FILE, asked).status_code: 403,
        calling(local).post(FILE, asked).status_code: 403,
        people[Role.DESK].post(FILE, {**asked, "file": "links.json"}).status_code: 400,
        people[Role.DESK].post(FILE, {**asked, "limit": 3}).status_code: 400,
        people[Role.DESK].post(FILE, {**asked, "caseNumber": None}).status_code: 409,
    }
    assert all(found == expected for found, expected in refused.items())
    assert not desk.graph.asked
    assert not trail(desk)


def test_what_is_in_no_graph_is_not_found_and_not_told_in_full(desk: TestDesk, people: People) -> None:
    answer = people[Role.DESK].post(RING, {**BASIS, "phoneNumber": f"+{NOWHERE}"})
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert NOWHERE not in answer.text
    assert [what for what, *_ in trail(desk)] == ["lookup.ring"], "that it was asked stays"


@pytest.mark.parametrize(
    ("error", "status"),
    [(LookupRefused("no graph is named"), 409), (TooManyRings("too many rings are looked up"), 503)],
)
def test_without_a_graph_or_a_free_turn_it_says_so(
    desk: TestDesk, people: People, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def refuse() -> None:
        raise error

    monkeypatch.setattr(desk.rings, "_source", refuse)
    asking = people[Role.DESK]
    for answer in (asking.post(RING, {**BASIS, "imei": BOX}), asking.get("/rings"), asking.get("/outlets")):
        assert (answer.status_code, answer.json()["message"]) == (status, str(error))
        assert answer.headers.get("retry-after") == ("1" if status == 503 else None)
    assert not trail(desk)
