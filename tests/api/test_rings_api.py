"""Rings by HTTP: who may, masked, in the trail, page by page of one graph."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from sqlalchemy import select

from duanka.api.http.language import language_of
from duanka.domain.holder_grounds import grounds_for_holder
from duanka.domain.order import Event, PermissionDenied, Person, ProtectedCard, Role
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.person import Scope
from duanka.domain.phone_masking import masked_device
from duanka.domain.record_lookups import Basis, BasisKind, LookupRefused
from duanka.domain.ring_lookups import SeedName, TooManyRings, seed_named
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import order_of
from duanka.ledger.db.tables import audit, orders
from duanka.ledger.lookups import LookupContext
from duanka.orders.queries.service import ViewerContext
from duanka.orders.ring_stops import RingStop, look_up_and_propose, propose_ring_stop
from support.api.asking import Calling, one_store, own_calling, own_desk, own_people
from support.api.desks import NOW, Caller, TestDesk, desk_on
from support.invented_rings import BOX, EDITION, NOWHERE, ring_card

store = pytest.fixture(one_store)
desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)
people = pytest.fixture(own_people)

BASIS = {"why": "the police seized it", "caseNumber": "7"}
RING = "/rings/retrieve"
CLERK, CHIEF = Person("the clerk", Role.DESK), Person("the chief", Role.SUPERVISOR)
People = Mapping[Role, Caller]


def trail(desk: TestDesk) -> list[tuple[str, str, str, str]]:
    columns = audit.c.what, audit.c.subject, audit.c.why, audit.c.after
    with desk.store.reading() as reading:
        query = select(*columns).where(audit.c.what.like("lookup.%")).order_by(audit.c.seq)
        return [tuple(row) for row in reading.execute(query)]


def test_the_ring_behind_a_device_comes_masked_and_page_by_page(desk: TestDesk, people: People) -> None:
    asked = {**BASIS, "imei": f"{BOX}9", "limit": 3}
    answer = people[Role.POLICE].post(RING, asked)
    first = answer.json()
    assert (first["joined"], first["total"], first["next"], first["deviceTotal"]) == (3, 4, f"{EDITION}-3", 1)
    assert (first["atRisk"], first["confirmed"], first["firm"]) == (2, 1, False)
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


@pytest.mark.parametrize("written", ["r2", "R00002", " r00002 "])
def test_a_ring_is_named_in_whatever_case(written: str) -> None:
    assert seed_named(ring=written) == SeedName("ring", "R00002")
    assert seed_named(ring="none").text == "none"


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
    (device,) = regulator.get("/devices").json()["items"]
    assert (device["imei"], device["role"], device["ring"]) == (masked_device(BOX), "box", "R00001")
    assert device["reasons"]["en"] == "35 cards sat in it"
    assert regulator.post(RING, {**BASIS, "imei": BOX}).status_code == 403
    assert not desk.graph.asked
    assert not trail(desk)


def test_who_works_for_a_city_alone_sees_neither(desk: TestDesk, calling: Calling) -> None:
    key = desk.people.add("the.local", Role.DESK, Scope(cities=frozenset({"130100"})))
    local = calling(key)
    lists = [local.get(path) for path in ("/rings", "/outlets", "/devices")]
    answers = [local.post(RING, {**BASIS, "imei": BOX}), *lists]
    assert [one.status_code for one in answers] == [403] * 4
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
        ({"imei": f"{BOX}7"}, 400),
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


STOP = "/rings/propose-stop"
STOPPED = {"caseNumber": "7", "ring": "R00002", "reason": {"zh": "团伙停机", "en": "a ring"}}


def test_a_stop_of_the_ring_is_proposed_to_a_second_person_and_names_no_card(
    desk: TestDesk, people: People
) -> None:
    answer = people[Role.DESK].post(STOP, STOPPED)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["leftOut"], told["atRisk"], told["confirmed"]) == (1, 2, 1)
    act = told["act"]
    assert act["grounds"]["reason"] == {
        "zh": "团伙停机〔团伙 R00002：设备用卡 3；最低确定度 0.96；团伙中按规则有风险 2，涉案 1；案件 7〕",
        "en": "a ring [ring R00002: box card 3; certainty 0.96 at least; of the ring at risk 2, confirmed 1; case 7]",
    }
    assert (act["state"], act["event"], act["total"], act["proposedBy"]) == (
        "proposed",
        "suspend",
        3,
        "the.desk",
    )
    assert not [number for number in range(4) if ring_card(number)[2:] in answer.text]
    listed = [one.card for one in desk.reading.act_cards(act["id"], ViewerContext(CLERK), NOW).items]
    assert listed == [f"+86 137****{ring_card(number)[-4:]}" for number in range(3)]
    assert [(what, subject, why) for what, subject, why, _ in trail(desk)] == [
        ("lookup.ring", "R00002", "7 · 团伙停机"),
        ("lookup.rows", "R00002", "7"),
    ]
    assert people[Role.DESK].post(f"/acts/{act['id']}/approve").status_code == 403, "not alone"
    assert people[Role.SUPERVISOR].post(f"/acts/{act['id']}/approve").json()["state"] == "running"


def test_the_holder_reads_the_policys_text_for_what_was_written_and_nothing_of_the_ring(store: Store) -> None:
    words = BilingualText("冒名开卡", "opened in another's name")
    first = BilingualText("异常使用", "unusual use")
    policy = OrderPolicy(reasons=(("first", first), ("stolen", words)), two_people=False)
    desk = desk_on(store, policy)
    ring = desk.graph.around(SeedName("ring", "R00002"))
    stop = RingStop(Event.SUSPEND, BilingualText("stolen", "stolen"))
    propose_ring_stop(desk.bulk_actions, ring, stop, CLERK, NOW)
    desk.bulk_actions.carry_out(NOW)
    with desk.store.reading() as reading:
        (row, *_) = reading.execute(select(orders).where(orders.c.kind == "restriction")).mappings()
    order = order_of(row)
    assert order.grounds.reason.en.startswith("stolen [ring R00002: box card 3; ")
    assert grounds_for_holder(order, policy).reason == words


def test_cards_that_a_stop_holds_already_are_left_out_and_counted(desk: TestDesk, people: People) -> None:
    def propose(**change: object) -> tuple[int, dict[str, object], str]:
        answer = people[Role.DESK].post(STOP, {**STOPPED, **change})
        return answer.status_code, answer.json(), answer.json().get("message", "")

    def again(act: object) -> str:
        return f"3 of them are already in {act}, and none is left: nothing is proposed"

    _, told, _ = propose()
    first = str(told["act"]["id"])  # type: ignore[index]
    status, _, said = propose(event="cancel")
    assert (status, said) == (409, again(first)), "one that waits, of any kind"
    assert (
        people[Role.SUPERVISOR].post(f"/acts/{first}/approve", {"why": "seen", "without": ["#3"]}).is_success
    )
    status, told, _ = propose()
    assert (status, told["standing"], told["act"]["total"]) == (201, {first: 2}, 1)  # type: ignore[index]
    second = str(told["act"]["id"])  # type: ignore[index]
    desk.bulk_actions.reject(second, CHIEF, "seen", NOW)
    desk.bulk_actions.carry_out(NOW)
    assert desk.bulk_actions.get(first).state == "done"
    told = propose()[1]
    assert told["standing"] == {first: 2}, "stopped still"
    desk.bulk_actions.reject(str(told["act"]["id"]), CHIEF, "seen", NOW)  # type: ignore[index]
    assert propose(event="cancel")[1]["standing"] == {}, "another kind"


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"certainty": 0.96}, 409, "none of the 4 cards is the ring's with a certainty above 0.96"),
        ({"certainty": 0.4}, 400, "certainty"),
        ({"certainty": 1}, 400, "certainty"),
        ({"caseNumber": None}, 409, "give one of"),
        ({"event": "restore"}, 400, "event"),
        ({"event": "punish"}, 409, "a punishment needs the day"),
        ({"unmask": True}, 400, "unmask"),
        ({"imei": BOX}, 409, "a search begins at one thing"),
    ],
)
def test_what_is_wrong_of_a_stop_proposes_nothing(
    desk: TestDesk, people: People, change: dict[str, object], status: int, said: str
) -> None:
    answer = people[Role.DESK].post(STOP, {**STOPPED, **change})
    assert (answer.status_code, said in answer.json()["message"]) == (status, True), answer.text
    assert not people[Role.DESK].get("/acts").json()["items"]


def test_who_may_not_propose_looks_nothing_up_for_it(
    desk: TestDesk, people: People, calling: Calling
) -> None:
    local = desk.people.add("the.local", Role.DESK, Scope(cities=frozenset({"130100"})))
    for caller in (people[Role.POLICE], people[Role.REGULATOR], calling(local)):
        assert caller.post(STOP, STOPPED).status_code == 403
    assert not desk.graph.asked
    assert not trail(desk)


@pytest.mark.parametrize(
    ("of_ring", "said"),
    [
        ({"firm": True}, "an organisation's, and are called back"),
        ({"at_risk": 0, "confirmed": 0}, "no rule speaks against any of these cards"),
        ({"joined": 1}, "no link holds"),
    ],
)
def test_a_ring_against_which_nothing_speaks_is_not_proposed(
    desk: TestDesk, people: People, of_ring: dict[str, int], said: str
) -> None:
    desk.graph.of_ring = of_ring
    answer = people[Role.SUPERVISOR].post(STOP, STOPPED)
    assert (answer.status_code, said in answer.json()["message"]) == (409, True), answer.text
    assert not people[Role.DESK].get("/acts").json()["items"]


@pytest.mark.parametrize("speaks", [{"at_risk": 1, "confirmed": 0}, {"at_risk": 0, "confirmed": 1}])
def test_one_card_that_rules_or_the_police_name_is_enough(
    desk: TestDesk, people: People, speaks: dict[str, int]
) -> None:
    desk.graph.of_ring = speaks
    assert people[Role.SUPERVISOR].post(STOP, STOPPED).status_code == 201


def test_a_refusal_names_no_card_of_the_ring(store: Store) -> None:
    """All of its cards are protected: `BulkActionService` names one of them."""
    numbers = [ring_card(number) for number in range(3)]
    desk = desk_on(store, OrderPolicy(protected=tuple(numbers)))
    ring = desk.graph.around(SeedName("ring", "R00002"))
    stop = RingStop(Event.SUSPEND, BilingualText("团伙", "a ring"))
    with pytest.raises(ProtectedCard, match="nothing is left to do") as refused:
        propose_ring_stop(desk.bulk_actions, ring, stop, CLERK, NOW)
    assert "137****0000" in str(refused.value)
    assert not [number for number in numbers if number[2:] in str(refused.value)]


def test_the_service_itself_grows_nothing_for_who_may_not_propose(desk: TestDesk) -> None:
    reader = LookupContext(Person("the officer", Role.POLICE), "seized", Basis(BasisKind.CASE, "7"))
    stop = RingStop(Event.SUSPEND, BilingualText("团伙", "a ring"))
    with pytest.raises(PermissionDenied, match="may not propose"):
        look_up_and_propose(desk.rings, desk.bulk_actions, SeedName("ring", "R00002"), reader, stop, NOW)
    assert (desk.graph.asked, trail(desk)) == ([], [])
