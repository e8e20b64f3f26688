"""A link belongs to the browser that first agreed by it; what others can do with it, and how one gets a new one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from duanka.domain.identity import CheckReason
from duanka.domain.order import Event, Kind, Person, Role, State
from duanka.ledger.db.tables import audit, notices
from duanka.orders.dispatch.link_requests import MOST_A_DAY, PAUSE
from duanka.orders.dispatch.notice_texts import VERIFY
from support.api.asking import own_calling, own_desk
from support.api.desks import HOUR, NOW, Caller, TestDesk, card
from support.api.holder_sessions import agreed
from test_checks import refused

desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)

Calling = Callable[[str | None], Caller]


def state_of(desk: TestDesk, number: int = 0) -> State:
    order = desk.reading.last(card(number), Kind.VERIFICATION)
    assert order is not None
    return order.state


def test_another_browser_ends_nothing_refuses_nothing_and_objects_to_nothing(
    desk: TestDesk, calling: Calling
) -> None:
    _, token = desk.asked()
    mine, other = calling(token), calling(token)
    assert other.get("/holder/order").json()["link"] == "open"
    begun = mine.post("/holder/session", agreed(mine))
    session = calling(begun.json()["sessionToken"])
    assert session.post("/holder/challenge", {}).status_code == 200
    assert [one.get("/holder/order").json()["link"] for one in (mine, other)] == ["yours", "elsewhere"]
    refused(other.post("/holder/session", agreed(other)), 409, CheckReason.OTHER_BROWSER)
    refused(
        other.post("/holder/session", agreed(other, faceDataAgreed=False)), 409, CheckReason.OTHER_BROWSER
    )
    refused(other.post("/holder/objection", {"text": "not me"}), 409, CheckReason.OTHER_BROWSER)
    assert session.post("/holder/challenge", {}).status_code == 200, "the session goes on"
    assert state_of(desk) is State.IN_PROGRESS
    assert desk.reading.last(card(), Kind.OBJECTION) is None


def test_the_browser_itself_goes_on_after_a_reload_refuses_and_objects(
    desk: TestDesk, calling: Calling
) -> None:
    _, token = desk.asked()
    mine = calling(token)
    for _ in range(3):
        assert mine.post("/holder/session", agreed(mine)).status_code == 201
    assert mine.post("/holder/objection", {"text": "I was selling a car"}).json()["objection"] == "filed"
    assert mine.post("/holder/session", agreed(mine, faceDataAgreed=False)).json()["route"] == "counter"
    assert state_of(desk) is State.SENT_TO_COUNTER


def test_the_secret_of_a_browser_is_read_by_no_script_and_sent_by_no_other_page(
    desk: TestDesk, calling: Calling
) -> None:
    holder = calling(desk.asked()[1])
    given = holder.post("/holder/session", agreed(holder))
    words = {part.strip().lower() for part in given.headers["set-cookie"].split(";")}
    assert {"httponly", "samesite=strict", "path=/"} <= words
    assert "secure" not in words, "this machine alone, without TLS"
    other = calling(desk.asked(1)[1])
    agrees = agreed(other)
    given = other.post("/holder/session", agrees, host="verify.example")
    assert "; secure" in given.headers["set-cookie"].lower()
    assert given.headers["set-cookie"].split("=")[1][:43] not in str(given.json())


def test_who_only_looked_or_refused_has_not_taken_the_link(desk: TestDesk, calling: Calling) -> None:
    _, token = desk.asked()
    first, second = calling(token), calling(token)
    first.get("/holder/order")
    first.post("/holder/session", agreed(first, legalNoticeRead=False))
    assert second.post("/holder/session", agreed(second)).status_code == 201


def test_a_new_link_goes_to_the_number_not_too_often(desk: TestDesk, calling: Calling) -> None:
    order, token = desk.asked()
    mine = calling(token)
    mine.post("/holder/session", agreed(mine))
    other = calling(token)
    times = 0
    desk.clock.now = NOW + PAUSE  # after the notice of the order itself
    for _ in range(MOST_A_DAY + 2):
        answer = other.post("/holder/link", {})
        if answer.status_code == 202:
            assert answer.json() == {"phoneNumberEnding": card()[-4:]}
            times += 1
            at_once = other.post("/holder/link", {})
            assert (at_once.status_code, at_once.json()["reason"]) == (429, "too_soon")
            assert 0 < int(at_once.headers["Retry-After"]) <= 24 * 3600
        desk.clock.now += PAUSE + timedelta(seconds=1)
    with desk.store.reading() as connection:
        rows = connection.execute(select(notices).where(notices.c.template == VERIFY)).all()
        told = connection.execute(select(audit.c.subject).where(audit.c.what == "link.request")).all()
    assert len(rows) == MOST_A_DAY, "with the first"
    assert times == MOST_A_DAY - 1 == len(told)
    assert {row.card for row in rows} == {card()}
    assert {row.order_id for row in rows} == {order.id}


def test_who_agrees_by_the_new_link_takes_over(desk: TestDesk, calling: Calling) -> None:
    order, token = desk.asked()
    stranger = calling(token)
    session = calling(stranger.post("/holder/session", agreed(stranger)).json()["sessionToken"])
    desk.clock.now = NOW + HOUR / 2
    new = desk.orders.transaction(
        lambda unit: desk.links.make(unit.connection, order.id, desk.clock.now), desk.clock.now
    )
    holder = calling(new)
    assert holder.get("/holder/order").json()["link"] == "open"
    assert holder.post("/holder/session", agreed(holder)).status_code == 201
    refused(session.post("/holder/challenge", {}), 409, CheckReason.OTHER_SESSION)
    assert "later link" in stranger.get("/holder/order").json()["message"]
    assert stranger.post("/holder/session", {}).status_code == 401


def test_a_link_whose_time_is_over_still_asks_for_a_new_one(desk: TestDesk, calling: Calling) -> None:
    order, token = desk.asked()
    desk.clock.now = NOW + 100 * HOUR
    assert calling(token).get("/holder/order").status_code == 401
    assert calling(token).post("/holder/link", {}).status_code == 202
    assert calling("A" * 44).post("/holder/link", {}).status_code == 401
    assert calling(None).post("/holder/link", {}).status_code == 401
    desk.orders.apply(order.id, Event.WITHDRAW, desk_person(desk), "in error", desk.clock.now)
    assert calling(token).post("/holder/link", {}).status_code == 401, "nothing is left to do"


def desk_person(desk: TestDesk) -> Person:
    found = desk.keys.who(desk.given[Role.DESK])
    assert found is not None
    return found
