"""Linked accounts and items for take-down by HTTP: the same refusals and masks as in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from duanka.api import BASE
from duanka.domain.linked_accounts import AccountPlatform, TransportKind
from duanka.domain.order import Role
from duanka.domain.takedown import ItemState
from support.api.asking import Calling, one_store, own_calling, own_desk, own_people
from support.api.desks import NOW, Caller, TestDesk, card
from support.casework.account_scene import CHAT
from support.casework.account_scene import FIRST as ONE
from support.casework.account_scene import SECOND as TWO
from support.casework.platform_server import PlatformStub, keys_in
from support.casework.take_down import put

store = pytest.fixture(one_store)
desk = pytest.fixture(own_desk)
calling = pytest.fixture(own_calling)
people = pytest.fixture(own_people)
People = Mapping[Role, Caller]
pytestmark = pytest.mark.requirement("R4")


def asked(people: People, kind: str = "restrict", who: Role = Role.DESK) -> httpx.Response:
    body = {"phoneNumber": f"+{card()}", "kind": kind, "caseNumber": "A1", "why": "their letter"}
    return people[who].post("/account-requests", body)


def confirmed(people: People) -> None:
    stop = {"phoneNumber": f"+{card()}", "caseNumber": "A1", "why": "fraud"}
    answer = people[Role.POLICE].post("/cards/police-stop", stop)
    assert answer.status_code in (200, 201), answer.text


def test_from_the_ground_to_an_answer_that_the_platform_signed(
    desk: TestDesk, people: People, calling: Calling, tmp_path: Path
) -> None:
    nothing = asked(people)
    assert (nothing.status_code, "高风险" in nothing.text) == (409, True)
    assert asked(people, who=Role.REGULATOR).status_code == 403
    confirmed(people)
    (number,) = asked(people).json()["items"]
    assert asked(people).json()["items"] == [], "once"
    listed = people[Role.REGULATOR].get("/account-requests").json()["items"]
    assert [(one["id"], one["state"], one["kind"]) for one in listed] == [(number, "waiting", "restrict")]
    assert card() not in str(listed)
    assert people[Role.REGULATOR].post(f"/account-requests/{number}/retrieve", looked()).status_code == 403
    masked = people[Role.DESK].post(f"/account-requests/{number}/retrieve", looked()).json()["request"]
    assert masked["account"].endswith("*")
    full = (
        people[Role.DESK].post(f"/account-requests/{number}/retrieve", looked(unmask=True)).json()["request"]
    )
    assert (full["card"], full["account"]) == (f"+{card()}", f"u{card()[-4:]}")
    stub = registered(desk, tmp_path)
    body, signature = stub.signs({"id": number, "state": "handled", "note": "done"})
    nobody = calling(None).client
    path = f"{BASE}/account-requests/{number}/answers"
    sent = {"Duanka-Signature": signature, "Content-Type": "application/json"}
    assert nobody.post(path, content=body + b" ", headers=sent).status_code == 401
    assert nobody.post(path, content=body, headers=sent).status_code == 204
    (shown,) = people[Role.DESK].post(f"/account-requests/{number}/retrieve", looked()).json()["answers"]
    assert (shown["state"], shown["who"], shown["note"]) == ("handled", "platform", "done")
    assert people[Role.DESK].post(f"/account-requests/{number}/release").status_code == 403
    assert people[Role.SUPERVISOR].post(f"/account-requests/{number}/release").json()["state"] == "withdrawn"


def test_closing_takes_two_people(people: People) -> None:
    confirmed(people)
    (number,) = asked(people, "close").json()["items"]
    approve = f"/account-requests/{number}/approve"
    assert people[Role.DESK].post(approve).status_code == 403
    assert people[Role.SUPERVISOR].post(approve).json()["state"] == "waiting"
    missing = people[Role.SUPERVISOR].post("/account-requests/G000000000000/approve")
    assert missing.status_code == 404


def test_items_are_agreed_on_and_blocked_by_two(desk: TestDesk, people: People) -> None:
    put(desk.store, "I0123456789AB", "evil.top")
    clerk, chief = people[Role.DESK], people[Role.SUPERVISOR]
    item = "/takedown-items/I0123456789AB"
    assert chief.post(f"{item}/block").status_code == 409
    moved = clerk.post(f"{item}/move", {"state": "agreed", "why": "a phishing page"})
    assert moved.json()["state"] == ItemState.AGREED
    assert clerk.post(f"{item}/block").status_code == 403
    assert chief.post(f"{item}/block").json()["blockedBy"] == "the.supervisor"
    assert [one["value"] for one in clerk.get("/takedown-items", blocked=True).json()["items"]] == [
        "evil.top"
    ]
    clerk.post(f"{item}/move", {"state": "rejected", "why": "an error"})
    assert clerk.get("/takedown-items", blocked=True).json()["items"] == []


def test_figures_are_read_by_the_regulator(people: People) -> None:
    confirmed(people)
    asked(people)
    period = {"since": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}
    (one,) = people[Role.REGULATOR].get("/account-figures", **period).json()["items"]
    assert (one["platform"], one["kind"], one["requested"], one["handled"]) == (CHAT, "restrict", 1, 0)


def looked(**more: object) -> dict[str, object]:
    return {"caseNumber": "A1", "why": "their letter", **more}


def registered(desk: TestDesk, folder: Path) -> PlatformStub:
    """A platform that two supervisors registered."""
    made: AccountPlatform = keys_in(folder / "chat", CHAT, TransportKind.HTTP, "https://chat.example")
    register = desk.casework.accounts.platforms
    register.approve(register.propose(made, ONE, NOW), TWO, "contract", NOW)
    return PlatformStub(CHAT, folder / "chat", made)
