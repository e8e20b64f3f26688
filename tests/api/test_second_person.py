"""The second person at a counter, on the screen of the first: for one act, without a session of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from duanka.domain.order import Kind, Order, Role
from duanka.domain.sign_in import LOCK_SECONDS
from support.api.asking import on_sqlite_alone, own_calling, own_desk, own_people
from support.api.desks import NOW, PLENTY, Caller, TestDesk, callers, demand
from support.orders.books import receive
from support.people import PASSWORD

desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)
people = pytest.fixture(own_people)

People = Mapping[Role, Caller]
DESK, SUPERVISOR, POLICE = Role.DESK, Role.SUPERVISOR, Role.POLICE
WRONG = "Wrong-horse-9-battery"
SEEN = {
    "document": "id_card",
    "counter": "长安路营业厅",
    "why": "came in person",
    "personPresent": True,
    "cardInHand": True,
    "noticeSigned": True,
}
DISOWNS = {
    "phoneNumber": "+8613000000005",
    "document": "id_card",
    "counter": "长安路营业厅",
    "personPresent": True,
    "inRegister": True,
    "statementSigned": True,
    "why": "says it is not theirs",
}


def of_tier(desk: TestDesk, number: int, tier: str) -> Order:
    receive(desk.orders, [replace(demand(number), tier=tier)], NOW)
    order = desk.reading.last(demand(number).card, Kind.VERIFICATION)
    assert order is not None
    return order


def second(login: str = "the.supervisor", password: str = PASSWORD) -> dict[str, str]:
    return {"login": login, "password": password, "why": "saw the person and the document"}


def test_the_second_person_confirms_on_the_screen_of_the_first(desk: TestDesk, people: People) -> None:
    desk.people.password("the.supervisor")
    order = of_tier(desk, 1, "extreme")
    first = people[DESK]
    assert first.get(f"/orders/{order.id}").json()["counter"] == {
        "mayRecord": True,
        "twoPeople": True,
        "waiting": None,
    }
    assert first.post(f"/orders/{order.id}/counter-check", SEEN).json()["waitsForSecondPerson"]
    waits = first.get(f"/orders/{order.id}").json()["counter"]
    assert (waits["mayRecord"], waits["waiting"]["firstBy"]) == (False, "the.desk")
    answer = first.post(f"/counter-checks/{order.id}/confirm", second())
    assert (answer.status_code, answer.json()["state"]) == (200, "passed")
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    trail = first.get(f"/orders/{order.id}").json()["trail"]
    told = {one["what"]: (one["who"], one["why"]) for one in trail}
    assert told["counter.verify"][0] == "the.desk"
    assert told["counter.confirm"] == ("the.supervisor", "saw the person and the document")
    assert told["second.identified"][0] == "the.supervisor"
    beside = next(one["after"] for one in trail if one["what"] == "second.identified")
    assert beside["beside"] == "the.desk"
    assert PASSWORD not in str(trail)
    assert not desk.sign_in.sessions.list("the.supervisor", desk.people.who("the.supervisor"), NOW)


def test_a_disavowal_is_confirmed_in_the_same_way(desk: TestDesk, people: People) -> None:
    desk.people.password("the.supervisor")
    recorded = people[DESK].post("/disavowals", DISOWNS).json()
    number = recorded["order"]["id"]
    assert recorded["waitsForSecondPerson"]
    assert people[DESK].get(f"/orders/{number}").json()["counter"]["waiting"]["orderId"] == number
    answer = people[DESK].post(f"/counter-checks/{number}/confirm", second())
    assert (answer.status_code, answer.json()["state"]) == (200, "confirmed")


def test_nobody_is_their_own_second_person(desk: TestDesk, people: People) -> None:
    desk.people.password("the.desk")
    order = of_tier(desk, 1, "extreme")
    people[DESK].post(f"/orders/{order.id}/counter-check", SEEN)
    for asks in (people[DESK], people[SUPERVISOR]):
        answer = asks.post(f"/counter-checks/{order.id}/confirm", second("the.desk"))
        assert (answer.status_code, answer.json()["code"]) == (403, "PERMISSION_DENIED")
    assert people[DESK].get(f"/orders/{order.id}").json()["order"]["state"] == "in_progress"


def test_neither_the_police_confirm_nor_may_they_ask(desk: TestDesk, people: People) -> None:
    desk.people.password("the.police")
    desk.people.password("the.supervisor")
    order = of_tier(desk, 1, "extreme")
    people[DESK].post(f"/orders/{order.id}/counter-check", SEEN)
    assert people[DESK].post(f"/counter-checks/{order.id}/confirm", second("the.police")).status_code == 403
    assert people[POLICE].post(f"/counter-checks/{order.id}/confirm", second()).status_code == 403
    assert people[DESK].get(f"/orders/{order.id}").json()["order"]["state"] == "in_progress"


def test_a_wrong_password_is_403_and_nobody_is_signed_out_for_it(desk: TestDesk, people: People) -> None:
    desk.people.password("the.supervisor")
    order = of_tier(desk, 1, "extreme")
    people[DESK].post(f"/orders/{order.id}/counter-check", SEEN)
    path = f"/counter-checks/{order.id}/confirm"
    wrong = people[DESK].post(path, second(password=WRONG))
    unknown = people[DESK].post(path, second("nobody.there"))
    assert wrong.status_code == unknown.status_code == 403
    assert wrong.json() == unknown.json(), "whether there is such a login name is not told"
    assert people[DESK].post(path, second()).status_code == 200, "one slip locks nobody"


def test_wrong_passwords_lock_the_login_name_as_at_the_sign_in(desk: TestDesk, people: People) -> None:
    desk.people.password("the.supervisor")
    order = of_tier(desk, 1, "extreme")
    people[DESK].post(f"/orders/{order.id}/counter-check", SEEN)
    path = f"/counter-checks/{order.id}/confirm"
    slips = next(at for at, seconds in enumerate(LOCK_SECONDS) if seconds)
    for _ in range(slips):
        assert people[DESK].post(path, second(password=WRONG)).status_code == 403
    assert people[DESK].post(path, second()).status_code == 403, "locked, although the password is right"
    assert people[DESK].get(f"/orders/{order.id}").json()["order"]["state"] == "in_progress"


def test_a_generated_password_stands_for_nobody(desk: TestDesk, people: People) -> None:
    half = desk.sign_in.credentials.set_password(
        "the.supervisor", None, "", desk.people.who("the.supervisor"), NOW
    )[1]
    assert half is not None
    order = of_tier(desk, 1, "extreme")
    people[DESK].post(f"/orders/{order.id}/counter-check", SEEN)
    answer = people[DESK].post(f"/counter-checks/{order.id}/confirm", second(password=half))
    assert answer.status_code == 403
    assert people[DESK].get(f"/orders/{order.id}").json()["order"]["state"] == "in_progress"


@pytest.fixture
def slow(desk: TestDesk) -> Iterator[Callable[[str | None], Caller]]:
    with callers(desk.api(replace(PLENTY, sign_in=0.0001, sign_in_burst=2))) as caller:
        yield caller


@on_sqlite_alone
def test_tries_from_one_address_are_limited_as_at_the_sign_in(
    desk: TestDesk, slow: Callable[[str | None], Caller]
) -> None:
    asks = slow(desk.given[DESK])
    order = of_tier(desk, 1, "extreme")
    got = [asks.post(f"/counter-checks/{order.id}/confirm", second()).status_code for _ in range(3)]
    assert got == [403, 403, 429]


@on_sqlite_alone
def test_a_stop_stands_at_a_counter_as_the_verification_behind_it(desk: TestDesk, people: People) -> None:
    order = of_tier(desk, 1, "medium")
    assert people[DESK].get(f"/orders/{order.id}").json()["counter"]["mayRecord"]
    assert not people[Role.REGULATOR].get(f"/orders/{order.id}").json()["counter"]["mayRecord"]
    people[DESK].post(f"/orders/{order.id}/counter-check", SEEN)
    assert people[DESK].get(f"/orders/{order.id}").json()["counter"] == {
        "mayRecord": False,
        "twoPeople": False,
        "waiting": None,
    }


@on_sqlite_alone
def test_the_vocabulary_has_the_words_of_counters_checks_and_the_police(people: People) -> None:
    words = people[DESK].get("/vocabulary").json()
    assert words["documents"]["id_card"]["zh"] == "居民身份证"
    assert words["checkReasons"]["unsure"]["zh"]
    assert words["channels"]["counter"] == {"zh": "营业厅", "en": "at a counter"}
    assert words["fraudKinds"]["loan"]["zh"] == "虚假贷款"
    assert words["outcomes"]["review"]["zh"] == "待人工复核"
    assert words["entries"]["second.identified"]["zh"] == "第二人在同一屏幕验明身份"
    assert words["changes"]["overdue"] == {"zh": "逾期未答复", "en": "overdue"}


@on_sqlite_alone
def test_a_dossier_says_what_the_police_may_do_with_the_card(desk: TestDesk, people: People) -> None:
    of_tier(desk, 1, "medium")
    card = {"phoneNumber": "+8613000000001", "caseNumber": "京公（刑）字〔2026〕0001号"}
    look, asks = "/cards/retrieve-dossier", people[POLICE]
    assert asks.post(look, card).json()["acts"] == ["police_stop"]
    assert people[DESK].post(look, {"phoneNumber": card["phoneNumber"]}).json()["acts"] == []
    asks.post("/cards/police-stop", {**card, "why": "a victim named it"})
    assert asks.post(look, card).json()["acts"] == ["police_release"]
