"""Who was put out of force while the body of their request was still coming does not act by it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from duanka.api import BASE
from duanka.domain.bulk_action import BulkActionState
from duanka.domain.identity import Consent
from duanka.domain.order import Event, Kind, Role
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from support.api.desks import NOW, TestDesk, card, desk_on, served
from support.people import FIRST
from support.waiting import HANG

BROWSER = "b" * 43


@pytest.fixture
def desk(store: Store) -> TestDesk:
    return desk_on(store)


@contextmanager
def half_sent(address: str, path: str, token: str, body: object) -> Iterator[Callable[[], bytes]]:
    """A request of which the headers and half of the body are sent; sends the rest and gives the status line."""
    host, port = urlsplit(address).hostname, urlsplit(address).port
    text = json.dumps(body).encode()
    head = f"POST {BASE}{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    with socket.create_connection((host, port), HANG) as connection:
        connection.sendall(head.encode() + text[:5])

        def rest() -> bytes:
            connection.sendall(text[5:])
            return connection.recv(4096).split(b"\r\n")[0]

        yield rest


def told_when_called(monkeypatch: pytest.MonkeyPatch, of: object, name: str) -> threading.Event:
    """An event that is set once this method has answered for the first time."""
    called, method = threading.Event(), getattr(of, name)

    def telling(*given: Any, **named: Any) -> Any:
        try:
            return method(*given, **named)
        finally:
            called.set()

    monkeypatch.setattr(of, name, telling)
    return called


def test_a_person_who_was_disabled_meanwhile_approves_nothing(
    desk: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = desk.people.add("li", Role.SUPERVISOR)
    proposed = desk.bulk_actions.propose(
        Event.SUSPEND, [card(1)], BilingualText("一", "one"), desk.people.who("the.desk"), NOW
    )
    looked = told_when_called(monkeypatch, desk.keys, "who")
    with (
        served(desk.api()) as address,
        half_sent(address, f"/acts/{proposed.id}/approve", key, {"why": "seen"}) as rest,
    ):
        assert looked.wait(HANG)
        desk.people.persons.disable("li", FIRST, "dismissed", NOW)
        assert b" 401 " in rest()
    assert desk.bulk_actions.get(proposed.id).state is BulkActionState.PROPOSED


def test_another_browser_that_agreed_meanwhile_has_the_link(
    desk: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, link = desk.asked(1)
    looked = told_when_called(monkeypatch, desk.links, "state_of")
    with (
        served(desk.api()) as address,
        half_sent(address, "/holder/objection", link, {"text": "in the holder's name"}) as rest,
    ):
        assert looked.wait(HANG)
        assert desk.way.verification.agree(link, Consent(True, True, ""), NOW, browser=BROWSER)
        assert b" 409 " in rest()
    assert desk.reading.last(card(1), Kind.OBJECTION) is None
