"""This number is not mine, over HTTP: said by whoever has the link, confirmed by face, counter or reviewer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from duanka.domain.identity import CheckReason
from duanka.domain.order import Kind, Role, State
from support.api.asking import own_calling, own_desk, own_people
from support.api.desks import Caller, TestDesk, card, phone
from support.api.holder_sessions import agreed, sent
from support.api.verifications import OTHER, PASSED, UNSURE
from test_checks import refused

desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)
people = pytest.fixture(own_people)

Calling = Callable[[str | None], Caller]
People = Mapping[Role, Caller]
DESK, SUPERVISOR, REGULATOR = Role.DESK, Role.SUPERVISOR, Role.REGULATOR
SEEN = {
    "phoneNumber": phone(),
    "document": "id_card",
    "counter": "长安路营业厅",
    "personPresent": True,
    "inRegister": True,
    "statementSigned": True,
    "outlet": "W-1702",
    "why": "the document is theirs, the number is not",
}
MINE = {
    "document": "id_card",
    "counter": "长安路营业厅",
    "personPresent": True,
    "cardInHand": True,
    "noticeSigned": True,
    "why": "their daughter uses it",
}
BECAUSE = {"why": "seen too"}
PERIOD = {"since": "2026-03-02T00:00:00Z", "until": "2026-03-03T00:00:00Z"}


def declares(holder: Caller, **otherwise: Any) -> dict[str, Any]:
    """What the page sends when both boxes of who disowns the number are ticked."""
    digest = holder.get("/holder/order").json()["notMine"]["wordsDigest"]
    said = {"faceDataAgreed": True, "legalNoticeRead": False, "notMine": True, "wordsDigest": digest}
    return said | otherwise


def stopped(desk: TestDesk) -> State | None:
    found = desk.reading.last(card(), Kind.RESTRICTION)
    return found.state if found else None


def test_saying_it_stops_nothing_and_can_be_taken_back(desk: TestDesk, calling: Calling) -> None:
    order, token = desk.asked()
    holder = calling(token)
    before = holder.get("/holder/order").json()["notMine"]
    assert (before["said"], before["orderId"], before["days"]) == (None, None, 7)
    assert before["statement"]["zh"].startswith("本人声明")
    said = holder.post("/holder/not-mine", {}).json()["notMine"]
    assert (said["said"], said["orderId"][0]) == ("claimed", "D")
    assert holder.post("/holder/not-mine", {}).json()["notMine"]["orderId"] == said["orderId"], "said once"
    assert (stopped(desk), desk.reading.state(order.id).state) == (None, State.OPENED)
    assert holder.post("/holder/not-mine/withdraw", {}).json()["notMine"]["said"] is None
    assert holder.post("/holder/not-mine/withdraw", {}).status_code == 409


def test_another_browser_says_nothing_in_the_holders_name(desk: TestDesk, calling: Calling) -> None:
    _, token = desk.asked()
    mine, other = calling(token), calling(token)
    assert mine.post("/holder/session", agreed(mine)).status_code == 201
    for path in ("/holder/not-mine", "/holder/not-mine/withdraw"):
        refused(other.post(path, {}), 409, CheckReason.OTHER_BROWSER)
    refused(other.post("/holder/session", declares(other)), 409, CheckReason.OTHER_BROWSER)
    assert desk.reading.last(card(), Kind.DISAVOWAL) is None


def test_the_registrants_face_confirms_it(desk: TestDesk, calling: Calling) -> None:
    order, token = desk.asked()
    holder = calling(token)
    assert holder.post("/holder/session", declares(holder, wordsDigest="0" * 64)).status_code == 409
    other_words = agreed(holder)["wordsDigest"]
    assert holder.post("/holder/session", declares(holder, wordsDigest=other_words)).status_code == 409, (
        "what was shown is what counts"
    )
    begun = holder.post("/holder/session", declares(holder))
    assert begun.status_code == 201
    assert stopped(desk) is None
    found = sent(desk, calling(begun.json()["sessionToken"]), PASSED)
    assert (found["stage"], found["order"], found["restored"]) == ("disowned", "disowned", False)
    assert (desk.reading.state(order.id).state, stopped(desk)) == (
        State.DISOWNED,
        State.STOPPED_AT_REQUEST,
    )
    assert holder.get("/holder/order").status_code == 401, "the link is used up"


def test_a_strangers_face_stops_nothing_and_fails_nobody(desk: TestDesk, calling: Calling) -> None:
    order, token = desk.asked()
    holder = calling(token)
    session = calling(holder.post("/holder/session", declares(holder)).json()["sessionToken"])
    for _ in range(3):
        sent(desk, session, OTHER)
    assert (desk.reading.state(order.id).state, stopped(desk)) == (State.SENT_TO_COUNTER, None)


def test_who_refuses_the_face_goes_to_a_counter_and_nothing_is_stopped(
    desk: TestDesk, calling: Calling
) -> None:
    _, token = desk.asked()
    holder = calling(token)
    answer = holder.post("/holder/session", declares(holder, faceDataAgreed=False))
    assert (answer.status_code, answer.json()["route"]) == (200, "counter")
    assert stopped(desk) is None


def test_a_reviewer_confirms_who_it_is_and_neither_passes_nor_fails(
    desk: TestDesk, calling: Calling, people: People
) -> None:
    order, token = desk.asked()
    holder = calling(token)
    session = calling(holder.post("/holder/session", declares(holder)).json()["sessionToken"])
    sent(desk, session, UNSURE)
    (waits,) = people[DESK].get("/reviews").json()["items"]
    assert waits["disowns"]
    assert people[DESK].post(f"/reviews/{order.id}/pictures").json()["disowns"]
    for move in ("pass", "fail"):
        assert people[DESK].post(f"/orders/{order.id}/{move}", BECAUSE).status_code == 409
    done = people[DESK].post(f"/reviews/{order.id}/not-mine", BECAUSE)
    assert (done.status_code, done.json()["state"]) == (200, "confirmed")
    assert stopped(desk) is State.STOPPED_AT_REQUEST


def test_at_a_counter_by_two_and_back(desk: TestDesk, people: People) -> None:
    for missing in ("personPresent", "inRegister", "statementSigned"):
        answer = people[DESK].post("/disavowals", SEEN | {missing: False})
        assert answer.status_code == 409, answer.text
    recorded = people[DESK].post("/disavowals", SEEN).json()
    number = recorded["order"]["id"]
    assert recorded["waitsForSecondPerson"]
    assert people[DESK].post(f"/disavowals/{number}/confirm", BECAUSE).status_code == 403, "their own record"
    assert stopped(desk) is None
    for _ in range(2):
        done = people[SUPERVISOR].post(f"/disavowals/{number}/confirm", BECAUSE)
        assert (done.status_code, done.json()["state"]) == (200, "confirmed"), "again gives the state"
    assert stopped(desk) is State.STOPPED_AT_REQUEST
    assert not people[DESK].post("/disavowals", SEEN).json()["waitsForSecondPerson"]
    (outlet,) = people[REGULATOR].get("/figures/disowned-outlets", **PERIOD).json()["items"]
    assert (outlet["outlet"], outlet["cards"], outlet["takenBack"]) == ("W-1702", 1, 0)
    figures = people[DESK].get("/figures", **PERIOD).json()
    assert (figures["disowned"], figures["handled"], figures["opened"]) == (
        {"confirmed": 1},
        0,
        {"disavowal": 1, "restriction": 1},
    )
    back = people[DESK].post(f"/disavowals/{number}/take-back", MINE).json()
    assert (back["order"]["state"], back["waitsForSecondPerson"]) == ("withdrawn", False)
    assert stopped(desk) is State.RESTORED
    (outlet,) = people[DESK].get("/figures/disowned-outlets", **PERIOD).json()["items"]
    assert (outlet["cards"], outlet["takenBack"]) == (0, 1), "what was taken back is no evidence"
    figures = people[DESK].get("/figures", **PERIOD).json()
    assert (figures["disowned"], figures["handled"]) == ({"confirmed": 1, "withdrawn": 1}, 0)


def test_a_discarded_record_gives_its_state_again(desk: TestDesk, people: People) -> None:
    number = people[DESK].post("/disavowals", SEEN).json()["order"]["id"]
    for _ in range(2):
        done = people[DESK].post(f"/disavowals/{number}/reject", BECAUSE)
        assert (done.status_code, done.json()["state"]) == (200, "discarded")
    assert stopped(desk) is None
