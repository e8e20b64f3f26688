"""Clues by HTTP: from building to the police's answer, masked everywhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from duanka.domain.order import Role
from duanka.ledger.db.database import Store
from support.api.asking import one_store
from support.api.desks import Caller, callers
from support.casework.clue_scene import (
    CONFIRMED,
    NAMED,
    SUSPECTED,
    ClueScene,
    clue_scene,
    police_certificate,
)
from support.people import SECOND

WHY = {"why": "a test"}
store = pytest.fixture(one_store)


@pytest.fixture
def scene(store: Store, tmp_path: Path) -> ClueScene:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    return clue_scene(store, inbox)


@pytest.fixture
def people(scene: ClueScene) -> Iterator[Mapping[Role, Caller]]:
    with callers(scene.desk.api()) as calling:
        yield {role: calling(key) for role, key in scene.desk.given.items()}


@pytest.mark.requirement("R8")
def test_a_clue_goes_from_the_case_to_the_polices_answer(
    scene: ClueScene, people: Mapping[Role, Caller]
) -> None:
    desk, supervisor, police = people[Role.DESK], people[Role.SUPERVISOR], people[Role.POLICE]
    built = desk.post("/clues", {"caseId": scene.case, **WHY}).json()["clue"]
    number = built["id"]
    assert (built["state"], built["cards"], built["confirmed"]) == ("draft", 3, 1)
    assert desk.post(f"/clues/{number}/review", WHY).status_code == 403
    assert supervisor.post(f"/clues/{number}/send", WHY).status_code == 409
    assert supervisor.post(f"/clues/{number}/review", WHY).json()["state"] == "reviewed"
    assert supervisor.post(f"/clues/{number}/send", WHY).json()["state"] == "sent"
    assert (scene.inbox / number / "police.cms").is_file()
    taken = police.post(f"/clues/{number}/acknowledge", WHY).json()
    assert (taken["state"], taken["hasFull"]) == ("acknowledged", False)
    answer = {
        "confirmed": [f"+{SUSPECTED}"],
        "refuted": [f"+{NAMED}"],
        "caseNumber": "A9",
        "stop": True,
        **WHY,
    }
    answered = police.post(f"/clues/{number}/feedback", answer).json()
    assert (answered["confirmed"], answered["refuted"], answered["stopped"]) == (1, 1, 1)
    assert answered["clue"]["state"] == "confirmed"
    assert supervisor.post(f"/clues/{number}/feedback", answer).status_code == 403
    found = people[Role.REGULATOR].get("/clues").json()
    assert [one["id"] for one in found["items"]] == [number]


def test_what_is_shown_of_a_clue_is_masked(scene: ClueScene, people: Mapping[Role, Caller]) -> None:
    desk = people[Role.DESK]
    number = desk.post("/clues", {"caseId": scene.case, **WHY}).json()["clue"]["id"]
    shown = desk.post(f"/clues/{number}/retrieve", WHY)
    assert {one["standing"] for one in shown.json()["cards"]} == {"confirmed", "suspected", "named"}
    table = desk.post(f"/clues/{number}/retrieve-file", {"file": "cards.csv", **WHY})
    assert table.headers["content-type"].startswith("text/csv")
    for text in (shown.text, table.text):
        assert not any(card[2:] in text for card in (CONFIRMED, SUSPECTED, NAMED))
    assert desk.post(f"/clues/{number}/retrieve-file", {"file": "police.cms", **WHY}).status_code == 404
    assert desk.get(f"/clues/{number}/verification").json() == {"good": True, "faults": []}
    assert people[Role.REGULATOR].post(f"/clues/{number}/retrieve", WHY).status_code == 403


def test_a_signed_answer_that_does_not_hold_is_refused(people: Mapping[Role, Caller]) -> None:
    signature = base64.b64encode(b"s" * 64).decode()
    asks = {"content": json.dumps({"clue": "L000000000000"}), "signature": signature, **WHY}
    refused = people[Role.DESK].post("/clue-answers", asks)
    assert (refused.status_code, "nobody signed" in refused.text) == (409, True)


def test_two_people_decide_who_gets_clues(scene: ClueScene, people: Mapping[Role, Caller]) -> None:
    supervisor = people[Role.SUPERVISOR]
    asks = {"name": "另一局", "certificate": police_certificate().decode(), "address": "folder:/srv/clues"}
    made = supervisor.post("/clue-recipients", asks).json()
    assert made["state"] == "waits"
    assert supervisor.post(f"/clue-recipients/{made['id']}/approve", WHY).status_code == 403
    with callers(scene.desk.api()) as calling:
        second = calling(scene.desk.people.given[SECOND.id])
        assert second.post(f"/clue-recipients/{made['id']}/approve", WHY).json()["state"] == "in_force"
        assert second.post(f"/clue-recipients/{made['id']}/remove", WHY).status_code == 204
    listed = people[Role.REGULATOR].get("/clue-recipients").json()["items"]
    assert [one["state"] for one in listed] == ["in_force", "removed"]


def test_there_is_no_such_clue_or_case(people: Mapping[Role, Caller]) -> None:
    desk = people[Role.DESK]
    assert desk.post("/clues/L000000000000/retrieve", WHY).status_code == 404
    assert desk.post("/clues", {"caseId": "C000000000000", **WHY}).status_code == 404
