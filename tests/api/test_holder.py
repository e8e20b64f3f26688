"""What a holder sees and does with the link of their notice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from duanka.domain.order import SYSTEM, Event, Kind, Person, Role, State
from duanka.ledger.db.tables import audit
from support.api.asking import own_calling, own_desk
from support.api.desks import HOUR, NOW, Caller, TestDesk, card

desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)

Calling = Callable[[str | None], Caller]


@pytest.mark.requirement("R1.5")
def test_a_holder_sees_why_until_when_and_what_to_bring(desk: TestDesk, calling: Calling) -> None:
    order, token = desk.asked()
    holder = calling(token)
    own = holder.get("/holder/order").json()
    policy = desk.orders.terms.policy
    assert own["orderId"] == order.id
    assert (own["state"], own["restriction"], own["dueAt"]) == ("opened", None, None)
    assert own["answerWithinHours"] == 24
    assert own["grounds"]["reason"] == {"zh": "一天外呼80个陌生号码", "en": "80 strangers called"}
    assert own["grounds"]["papers"]["zh"] == policy.papers.zh
    assert own["grounds"]["redress"]["en"] == policy.redress.en
    assert (own["counter"]["zh"], own["hotline"]) == (policy.counter.zh, policy.hotline)
    assert "验证码" in own["neverAsked"]["zh"]
    assert card() not in holder.get("/holder/order").text
    desk.orders.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", NOW, delivered_at=NOW)
    assert holder.get("/holder/order").json()["dueAt"] == "2026-03-03T08:00:00Z"
    desk.clock.now = NOW + 24 * HOUR
    desk.orders.sweep(desk.clock.now)
    late = holder.get("/holder/order").json()
    assert (late["state"], late["restriction"]) == ("expired", "suspended")
    assert late["grounds"]["reason"]["zh"].startswith("未在规定时间内完成实人核验")
    with desk.store.reading() as connection:
        told = connection.execute(
            select(audit.c.who, audit.c.subject).where(audit.c.what == "read.own")
        ).all()
    assert set(told) == {("holder", order.id)}


def test_a_holder_objects_and_a_person_answers(desk: TestDesk, calling: Calling) -> None:
    order, token = desk.asked()
    holder = calling(token)
    filed = holder.post("/holder/objection", {"text": "我在卖车"})
    assert (filed.status_code, filed.json()["objection"]) == (200, "filed")
    assert holder.post("/holder/objection", {"text": "还有"}).json()["objection"] == "filed"
    objection = desk.reading.last(card(), Kind.OBJECTION)
    assert objection is not None
    assert (objection.parent, objection.hits, objection.grounds.reason.zh) == (order.id, 2, "我在卖车")
    works = calling(desk.given[Role.DESK])
    works.post(f"/objections/{objection.id}/accept")
    assert holder.get("/holder/order").json()["objection"] == "accepted"
    works.post(f"/objections/{objection.id}/uphold")
    over = holder.get("/holder/order")
    assert (over.status_code, over.json()["code"]) == (401, "UNAUTHENTICATED")
    assert "nothing is left to do" in over.json()["message"]
    closed = desk.reading.state(order.id)
    assert closed.state is State.WITHDRAWN


def test_a_link_opens_one_order_and_nothing_else(desk: TestDesk, calling: Calling) -> None:
    _, token = desk.asked(1)
    other, other_token = desk.asked(2)
    assert calling(other_token).get("/holder/order").json()["orderId"] == other.id
    assert calling(token).get("/holder/order").json()["phoneNumberEnding"] == "0001"
    for path in ("/orders", f"/orders/{other.id}", "/alarms"):
        assert calling(token).get(path).status_code == 401
    assert calling(desk.given[Role.SUPERVISOR]).get("/holder/order").status_code == 401


def test_a_link_that_is_over_opens_nothing(desk: TestDesk, calling: Calling) -> None:
    _, token = desk.asked(1)
    desk.clock.now = NOW + 73 * HOUR
    for one, said in ((token, "time of this link"), ("A" * 44, "none of ours")):
        answer = calling(one).get("/holder/order")
        assert answer.status_code == 401
        assert said in answer.json()["message"]


def test_what_the_police_stopped_is_objected_to_and_lifted_by_them_alone(
    desk: TestDesk, calling: Calling
) -> None:
    _, token = desk.asked()
    desk.orders.police_stop(card(), "case", Person("liaison", Role.POLICE), "confirmed", NOW)
    answer = calling(token).post("/holder/objection", {"text": "我没有"})
    assert answer.json()["objection"] == "filed"
    objection = desk.reading.last(card(), Kind.OBJECTION)
    assert objection is not None
    uphold = calling(desk.given[Role.DESK]).post(f"/objections/{objection.id}/uphold")
    assert uphold.status_code == 403, "only the police lift what they stopped"
