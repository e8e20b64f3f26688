"""Cases by HTTP: the same refusals, masks and counter as in the terminal."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from duanka.domain.order import Role
from support.api.asking import one_store, own_calling, own_desk, own_people
from support.api.desks import Caller, TestDesk
from support.invented_rings import BOX, ring_card

store = pytest.fixture(one_store)
desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)
people = pytest.fixture(own_people)
People = Mapping[Role, Caller]
OPEN = {"ring": "R00001", "ground": "police-letter:7", "title": "the box", "why": "their letter"}


def opened(people: People, **other: str) -> str:
    answer = people[Role.DESK].post("/cases", {**OPEN, **other})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_case_from_opening_to_closing(desk: TestDesk, people: People) -> None:
    clerk, chief = people[Role.DESK], people[Role.SUPERVISOR]
    number = opened(people)
    case = clerk.get("/cases").json()["items"][0]
    assert (case["id"], case["items"], case["state"]) == (
        number,
        {"card": 3, "device": 1, "outlet": 1, "ring": 1},
        "open",
    )
    looked = clerk.post(f"/cases/{number}/retrieve", {"why": "the police call"})
    assert ring_card(0) not in looked.text
    assert BOX not in looked.text
    assert looked.json()["items"][0]["certainty"] == 96
    full = clerk.post(f"/cases/{number}/retrieve", {"why": "the police call", "unmask": True}).json()
    assert full["items"][0]["value"] == f"+{ring_card(0)}"
    added = clerk.post(f"/cases/{number}/items", {"phoneNumbers": ["+8613900000001"], "why": "called them"})
    assert added.json()["new"] == 1
    other = opened(people, ring="R00002")
    assert clerk.post(f"/cases/{other}/merge", {"into": number, "why": "one gang"}).json()["id"] == number
    split = clerk.post(
        f"/cases/{number}/split", {"phoneNumbers": ["+8613900000001"], "why": "another"}
    ).json()
    assert split["splitFrom"] == number
    assert clerk.post(f"/cases/{number}/notes", {"text": "done"}).status_code == 200
    closed = clerk.post(f"/cases/{number}/close", {"outcome": "handed_over", "why": "sent"}).json()
    assert (closed["state"], closed["outcome"]) == ("closed", "handed_over")
    assert clerk.post(f"/cases/{number}/reopen", {"why": "more"}).status_code == 403
    assert chief.post(f"/cases/{number}/reopen", {"why": "more"}).json()["state"] == "open"
    found = clerk.post("/cases/search", {"about": "139 0000 0001"}).json()
    assert [one["id"] for one in found["items"]] == [split["id"]]
    changed = chief.get("/cases/changes").json()
    assert changed["next"] == max(one["change"] for one in changed["items"])
    assert chief.get("/cases/changes", after=changed["next"]).json() == {
        "items": [],
        "total": 0,
        "next": changed["next"],
    }


def test_refusals_are_those_of_the_terminal(desk: TestDesk, people: People) -> None:
    clerk = people[Role.DESK]
    number = opened(people)
    assert people[Role.REGULATOR].get("/cases").status_code == 200
    assert people[Role.REGULATOR].post(f"/cases/{number}/retrieve", {"why": "curious"}).status_code == 403
    assert people[Role.POLICE].post("/cases", OPEN).status_code == 403
    assert clerk.post("/cases/C000000000000/retrieve", {"why": "x"}).status_code == 404
    assert clerk.post("/cases/C00/retrieve", {"why": "x"}).status_code == 400
    assert clerk.post("/cases", {**OPEN, "ground": "rumour"}).status_code == 409
    waits = clerk.post("/cases", {"phoneNumber": "+8613900000002", "ground": "none", "why": "a tip"}).json()
    assert waits["state"] == "proposed"
    assert (
        people[Role.SUPERVISOR].post(f"/cases/{waits['id']}/approve", {"why": "yes"}).json()["state"]
        == "open"
    )
