"""A stranger who has number and order number, at every door of the holder: nothing of the holder's changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import httpx
import pytest
from sqlalchemy import Table, select

from duanka.api import BASE, RequestLimits
from duanka.domain.identity import Outcome, Verdict
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.order import SYSTEM, Event, Kind, State
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit, cards, links, notices, orders, outbox
from duanka.ledger.db.tables_identity import checks, counter_checks, pictures, sessions
from support.api.asking import one_store, own_calling, own_desk
from support.api.desks import HOUR, NOW, PLENTY, Caller, TestDesk, callers, desk_on, phone
from support.api.holder_sessions import UNLINKED, agreed_unlinked, sent
from support.api.recordings import recording
from support.api.serving import serving
from support.api.verifications import DARK, OTHER, PASSED, UNSURE
from support.order_policies import AT_ONCE
from support.waiting import HANG

store = pytest.fixture(one_store)
_DELIVERED = (Event.DELIVERED, SYSTEM, "receipt", NOW)
desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)

Calling = Callable[[str | None], Caller]
NOWHERE = "V0123456789AB"
OWN = (orders, cards, links, sessions, checks, pictures, notices, outbox, counter_checks)
# What a session without a link is for; every other door of the holder is shut to it.
OPEN = {
    ("POST", "/holder/challenge"),
    ("POST", "/holder/check"),
    ("GET", "/holder/check"),
    ("POST", "/holder/line"),
    ("POST", "/holder/check/pictures"),
    ("POST", "/holder/check/recording"),
    ("GET", UNLINKED),
    ("POST", UNLINKED),
}


def stopped(desk: TestDesk, number: int = 0) -> tuple[str, str, str]:
    """A card stopped for a verification that ran out: its order, its restriction, and the holder's link."""
    order, link = desk.asked(number)
    desk.orders.apply(order.id, *_DELIVERED, delivered_at=NOW)
    desk.clock.now = NOW + 24 * HOUR
    desk.orders.sweep(desk.clock.now)
    restriction = desk.orders.transaction(lambda unit: unit.open_order(order.card, Kind.RESTRICTION), NOW)
    assert restriction
    return order.id, restriction.id, link


def asks(calling: Calling, order: str, number: int = 0, **otherwise: Any) -> dict[str, Any]:
    return agreed_unlinked(calling(None), phone(number), order, **otherwise)


def begun(calling: Calling, order: str, number: int = 0) -> Caller:
    answer = calling(None).post(UNLINKED, asks(calling, order, number))
    assert answer.status_code == 201, answer.text
    return calling(answer.json()["sessionToken"])


def kept(desk: TestDesk) -> Mapping[Table, Any]:
    """Everything of the holder's, row by row; of the trail what is not said of visits without a link."""
    with desk.store.reading() as connection:
        found: dict[Table, Any] = {one: connection.execute(select(one)).all() for one in OWN}
        told = select(audit.c.what, audit.c.subject).where(~audit.c.what.like("unlinked.%"))
        found[audit] = connection.execute(told.order_by(audit.c.seq)).all()
    return found


def doors(desk: TestDesk) -> list[tuple[str, str]]:
    """Every door of the holder that the API has: a new one is tried by default."""
    return [
        (method.upper(), path.removeprefix(BASE))
        for path, operations in desk.api().openapi()["paths"].items()
        if path.startswith(f"{BASE}/holder")
        for method in operations
    ]


@pytest.mark.requirement("R1.5")
def test_at_every_door_nothing_of_the_holder_changes(desk: TestDesk, calling: Calling) -> None:
    order, restriction, link = stopped(desk)
    holder = calling(link)
    agreement = {"faceDataAgreed": True, "legalNoticeRead": True}
    digest = holder.get("/holder/order").json()["online"]["wordsDigest"]
    mine = calling(holder.post("/holder/session", agreement | {"wordsDigest": digest}).json()["sessionToken"])
    challenge = mine.post("/holder/challenge", {}).json()["challengeId"]
    before = kept(desk)
    strangers = [begun(calling, order), begun(calling, restriction), calling(order), calling(None)]
    bodies: tuple[dict[str, Any], ...] = (
        {},
        {"text": "it was not me"},
        agreement | {"wordsDigest": digest},
        agreement | {"wordsDigest": digest, "notMine": True},
        {"faceDataAgreed": False, "legalNoticeRead": False, "wordsDigest": digest},
        recording(challenge),
        asks(calling, order, faceDataAgreed=False),
    )
    tried = doors(desk)
    assert {*tried} >= OPEN, "the doors are found at all"
    assert len(tried) > len(OPEN)
    for (method, path), stranger, body in product(tried, strangers, bodies):
        query = f"?challengeId={challenge}" if path.endswith("/pictures") else ""
        answer = stranger.client.request(method, BASE + path + query, json=body)
        assert answer.status_code < 500, (method, path, answer.text)
        if (method, path) not in OPEN:
            assert answer.status_code == 401, (method, path, answer.text)
    assert kept(desk) == before
    desk.clock.now += timedelta(seconds=4)
    assert mine.post("/holder/check", recording(challenge)).status_code == 202, "the holder's session goes on"
    desk.way.queue.judge(PASSED)
    assert mine.get("/holder/check").json()["restored"] is True


@pytest.mark.parametrize("verdict", [OTHER, UNSURE, DARK])
def test_what_a_stranger_fails_is_not_the_holders(desk: TestDesk, calling: Calling, verdict: Verdict) -> None:
    order, _, link = stopped(desk)
    calling(link).get("/holder/order")
    before = kept(desk)
    session = begun(calling, order)
    for left in (3, 2, 1):
        told = sent(desk, session, verdict)
        assert (told["stage"], told["left"], told["order"]) == ("again", left, "in_progress")
    assert sent(desk, session, verdict)["stage"] == "counter"
    refused = calling(None).post(UNLINKED, asks(calling, order))
    assert (refused.status_code, refused.json()["reason"]) == (409, "used_up")
    assert kept(desk) == before
    online = calling(link).get("/holder/order").json()["online"]
    assert (online["open"], online["left"]) == (True, 3)


def test_the_holder_passes_and_the_card_is_back(desk: TestDesk, calling: Calling) -> None:
    order, restriction, _ = stopped(desk)
    told = sent(desk, begun(calling, restriction.lower()), PASSED)
    assert (told["stage"], told["restored"], told["order"]) == ("passed", True, "passed")
    assert desk.reading.state(order).state is State.PASSED
    assert desk.reading.state(restriction).state is State.RESTORED


def _course(desk: TestDesk, calling: Calling, order: str, number: int, verdict: Verdict) -> list[Any]:
    """Every answer of a visit, without what is drawn by lot."""
    answers: list[Any] = []

    def note(answer: httpx.Response) -> dict[str, Any]:
        told: dict[str, Any] = answer.json()
        drawn = ("sessionToken", "challengeId", "expiresAt")
        hidden = {name: value for name, value in told.items() if name not in drawn}
        answers.append((answer.status_code, sorted(answer.headers), hidden, sorted(told)))
        return told

    begins = note(calling(None).post(UNLINKED, asks(calling, order, number)))
    session = calling(begins.get("sessionToken"))
    note(session.get("/holder/check"))
    challenge = note(session.post("/holder/challenge", {}))["challengeId"]
    desk.clock.now += timedelta(seconds=4)
    note(session.post("/holder/check", recording(challenge)))
    note(session.post("/holder/check", recording(challenge)))
    desk.way.queue.judge(verdict)
    note(session.get("/holder/check"))
    return answers


def test_numbers_that_lead_nowhere_are_answered_alike(desk: TestDesk, calling: Calling) -> None:
    order, restriction, _ = stopped(desk)
    other, _ = desk.asked(1)
    nowhere = Verdict(Outcome.FAILED, OTHER.reasons)  # as the check says where nobody is registered
    known = _course(desk, calling, order, 0, OTHER)
    for number, typed in ((0, NOWHERE), (7, NOWHERE), (1, order), (0, other.id), (1, restriction)):
        desk.clock.now += timedelta(hours=25)  # a card's tries of before count no more
        assert _course(desk, calling, typed, number, nowhere) == known, (number, typed)


def test_who_is_compared_with_nobody_never_passes(desk: TestDesk, calling: Calling) -> None:
    stopped(desk)
    session = begun(calling, NOWHERE)
    told = sent(desk, session, PASSED)
    assert (told["stage"], told["reasons"][0]["code"]) == ("again", "other_person")
    desk.way.photos.photo = None  # and whose photo is missing learns no more
    order, _ = desk.asked(1)
    desk.orders.apply(order.id, *_DELIVERED[:3], desk.clock.now, delivered_at=desk.clock.now)
    told = sent(desk, begun(calling, order.id, 1), PASSED)
    assert told["reasons"][0]["code"] == "other_person"
    with desk.store.reading() as connection:
        why = select(audit.c.why).where(audit.c.what == "photo.unusable", audit.c.subject == order.id)
        assert "no registered photo" in connection.execute(why).scalar_one()


def test_the_answers_take_as_long(store: Store) -> None:
    desk = desk_on(store)
    limits = replace(PLENTY, unlinked_begin=0.15, unlinked_submit=0.2)
    with callers(desk.api(limits)) as calling:
        order, *_ = stopped(desk)
        seconds: dict[str, list[float]] = {order: [], NOWHERE: []}
        for typed in (order, NOWHERE) * 2:
            body, stranger = asks(calling, typed), calling(None)
            began = time.monotonic()
            token = stranger.post(UNLINKED, body).json()["sessionToken"]
            seconds[typed].append(time.monotonic() - began)
            session = calling(token)
            challenge = session.post("/holder/challenge", {}).json()["challengeId"]
            desk.clock.now += timedelta(seconds=4)
            began = time.monotonic()
            session.post("/holder/check", recording(challenge))
            seconds[typed].append(time.monotonic() - began)
            desk.way.queue.judge(OTHER)
    for known, unknown, least in zip(seconds[order], seconds[NOWHERE], (0.15, 0.2) * 2, strict=True):
        assert min(known, unknown) >= least


def test_the_address_is_that_behind_a_trusted_proxy(store: Store) -> None:
    policy = replace(AT_ONCE, identity=replace(IdentityPolicy(), unlinked_tries=1, unlinked_address=2))
    desk = desk_on(store, policy)
    order, *_ = stopped(desk)
    with (
        serving(desk.api(), trusted="127.0.0.1") as address,
        httpx.Client(base_url=address, timeout=HANG) as client,
    ):
        digest = client.get(BASE + UNLINKED).json()["wordsDigest"]

        def tries(told: str, from_: str, number: int = 0) -> bool:
            typed = {"phoneNumber": phone(number), "orderNumber": told, "wordsDigest": digest}
            body = typed | {"faceDataAgreed": True, "legalNoticeRead": True}
            begun = client.post(BASE + UNLINKED, json=body, headers={"X-Forwarded-For": from_})
            if begun.status_code != 201:
                return False
            headers = {"Authorization": f"Bearer {begun.json()['sessionToken']}"}
            return client.post(f"{BASE}/holder/challenge", json={}, headers=headers).status_code == 200

        assert tries(order, "203.0.113.7")
        assert not tries(order, "203.0.113.7")
        assert tries(order, "203.0.113.8")
        assert tries(NOWHERE, "203.0.113.7", 7)
        assert not tries("V0123456789AC", "203.0.113.7", 8), "an address has its limit over all numbers"
        assert tries(order, "2001:db8:0:1::5")
        assert not tries(order, "2001:db8:0:1::6"), "one network of IPv6 is one address"


@pytest.mark.parametrize(
    ("changes", "status", "why"),
    [
        ({"phoneNumber": "12"}, 400, "number"),
        ({"orderNumber": "123456"}, 400, "stands in the notice"),
        ({"faceDataAgreed": False}, 400, "faceDataAgreed"),
        ({"legalNoticeRead": False}, 400, "legalNoticeRead"),
        ({"wordsDigest": "0" * 64}, 409, "texts of the consent have changed"),
        ({"code": "123456"}, 400, "code"),
        ({"phoneNumber": "1" * 65}, 400, "phoneNumber"),
    ],
)
def test_what_is_typed_wrongly_is_said(
    desk: TestDesk, calling: Calling, changes: dict[str, Any], status: int, why: str
) -> None:
    before = kept(desk)
    answer = calling(None).post(UNLINKED, asks(calling, NOWHERE, **changes))
    assert (answer.status_code, why in answer.json()["message"]) == (status, True), answer.text
    assert kept(desk) == before


def test_where_nobody_judges_online_the_counter_is_named(desk: TestDesk) -> None:
    with callers(desk.api(online=False)) as calling:
        told = calling(None).get(UNLINKED).json()
        assert (told["open"], told["supplier"]) == (False, None)
        assert told["counter"]["zh"] == desk.orders.terms.policy.counter.zh
        refused = calling(None).post(UNLINKED, asks(calling, NOWHERE))
        assert (refused.status_code, refused.json()["reason"]) == (409, "not_available")


def test_one_who_types_too_fast_waits(desk: TestDesk) -> None:
    slow = RequestLimits(holder=1, holder_burst=2, unlinked_begin=0, unlinked_submit=0)
    with callers(desk.api(slow)) as calling:
        body = asks(calling, NOWHERE)
        told = [calling(None).post(UNLINKED, body).status_code for _ in range(3)]
        assert told == [201, 201, 429]
        assert calling(desk.asked()[1]).get("/holder/order").status_code == 200, (
            "the holder does not wait for it"
        )
