"""What holds for every request: correlator, sizes, times, and how errors are told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from duanka.api import BASE
from duanka.api.schemas.requests import Moment
from duanka.domain.order import Role
from duanka.ledger.db.database import Store
from support.api.asking import one_store, own_calling, own_desk, own_people
from support.api.desks import PLENTY, Caller, TestDesk, callers, desk_on, phone
from support.order_policies import AT_ONCE

store = pytest.fixture(one_store)
desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)
people = pytest.fixture(own_people)

People = Mapping[Role, Caller]


def test_the_correlator_comes_back_or_is_made(people: People) -> None:
    works = people[Role.DESK].client
    given = works.get(f"{BASE}/alarms", headers={"x-correlator": "b4333c46-49c0_;:./<>{}"})
    assert given.headers["x-correlator"] == "b4333c46-49c0_;:./<>{}"
    made = [works.get(f"{BASE}/{path}").headers["x-correlator"] for path in ("alarms", "alarms", "nowhere")]
    assert len(set(made)) == 3
    assert all(re.fullmatch(r"[0-9a-f-]{36}", one) for one in made)
    for wrong in ("a b", "a\tb", "x" * 257, '"'):
        refused = works.get(f"{BASE}/alarms", headers={"x-correlator": wrong})
        assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_ARGUMENT")
        assert refused.headers["x-correlator"] != wrong


def test_a_body_has_a_largest_size_whether_it_says_it_or_not(people: People) -> None:
    works = people[Role.DESK].client
    large = b'{"why": "' + b"x" * PLENTY.body + b'"}'

    def dripping() -> Iterator[bytes]:
        yield large

    for content in (large, dripping()):
        headers = {"Content-Type": "application/json"}
        refused = works.post(f"{BASE}/order-searches", content=content, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert people[Role.DESK].post("/order-searches", {}).status_code == 200


def test_errors_have_one_form(people: People) -> None:
    works = people[Role.DESK]
    answers = {
        "NOT_FOUND": works.get("/nowhere"),
        "METHOD_NOT_ALLOWED": works.client.delete(f"{BASE}/orders"),
        "INVALID_ARGUMENT": works.post("/cards/retrieve-dossier", {"phoneNumber": "1380000000"}),
    }
    for code, answer in answers.items():
        assert answer.json().keys() == {"status", "code", "message"}
        assert (answer.json()["code"], answer.json()["status"]) == (code, answer.status_code)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
    assert "1380000000" not in answers["INVALID_ARGUMENT"].text, "what was sent is not repeated"
    assert "card numbers" in answers["INVALID_ARGUMENT"].json()["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"phoneNumber": phone(), "text": "t", "more": 1},
        {"phoneNumber": phone(), "text": " "},
        {"phoneNumber": phone(), "text": "a\x00b"},
        {"phoneNumber": phone()[:-2], "text": "t"},  # ten digits are a card of a test system
        {"phoneNumber": phone() + "\n", "text": "t"},
        {"phoneNumber": phone(), "text": "t" * 501},
        {"phone_number": phone(), "text": "t"},
        ["not an object"],
        "text",
    ],
)
def test_what_is_not_described_is_refused(people: People, body: object) -> None:
    answer = people[Role.DESK].post("/objections", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_ARGUMENT")


def test_a_query_parameter_that_is_not_described_is_refused(people: People) -> None:
    """`opne=true` must not list everything."""
    for path in ("/orders", "/health", "/acts", "/alarms"):
        answer = people[Role.DESK].get(path, opne="true")
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_ARGUMENT")
    assert "limit" in people[Role.DESK].get("/orders", opne="true").json()["message"]


def test_broken_bodies_are_refused(people: People) -> None:
    client = people[Role.DESK].client
    for content in (b"", b"{", b'"\xff"', b'{"text": "\\ud800", "phoneNumber": "+8613000000000"}', b"null"):
        answer = client.post(
            f"{BASE}/objections", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400, content


def test_health_needs_no_key(desk: TestDesk) -> None:
    with callers(desk.api()) as calling:
        assert calling(None).get("/health").json() == {"status": "up", "database": "up", "reasons": []}


_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-02T16:00:00+08:00", "2026-03-02T08:00:00+00:00"),
        ("2026-03-02T16:00:00 08:00", "2026-03-02T08:00:00+00:00"),  # a query reads + as a blank
        ("2026-03-02T16:00:00.5 08:00", "2026-03-02T08:00:00.500000+00:00"),
        ("2026-03-02t08:00:00z", "2026-03-02T08:00:00+00:00"),
        ("2026-03-02T08:00:00.5Z", "2026-03-02T08:00:00.500000+00:00"),
        ("2026-03-02T08:00:00.123456789Z", "2026-03-02T08:00:00.123456+00:00"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59+00:00"),
    ],
)
def test_times_are_rfc_3339(text: str, utc: str) -> None:
    assert _MOMENT.validate_python(text) == datetime.fromisoformat(utc)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2026-03-02T16:00:00",
            "2026-03-02",
            "2026-03-02 16:00:00Z",
            "2026-03-02 16:00",
            "2026-03-02T16:00 08:00",
            "2026-03-02T16:00:00  08:00",
            "2026-02-30T00:00:00Z",
            "0000-01-01T00:00:00Z",
        ),
        *("1772438400", "now", "", "2026-03-02T16:00:00+0800", "2026-03-02T24:00:00Z"),
    ],
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        _MOMENT.validate_python(text)


def test_each_api_of_a_process_is_described_with_the_hardships_of_its_policy(store: Store) -> None:
    described = []
    desk = desk_on(store)
    for policy in (AT_ONCE, replace(AT_ONCE, hardships=("flood",)), AT_ONCE):
        desk.orders.terms = replace(desk.orders.terms, policy=policy)
        described.append(desk.api().openapi())
    hardships = [
        one["components"]["schemas"]["Extension"]["properties"]["hardship"]["enum"] for one in described
    ]
    assert hardships == [list(AT_ONCE.hardships), ["flood"], list(AT_ONCE.hardships)]
    assert described[0] == described[2]
    assert described[1]["paths"] == described[0]["paths"]
