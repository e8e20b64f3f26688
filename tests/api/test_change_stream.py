"""The stream of changes: what a screen follows, so that it reads anew only when something changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from duanka.api import BASE, create_api
from duanka.api.server import listening_socket, make_server, server_address
from duanka.domain.order import Role
from support.api.asking import one_store, own_desk
from support.api.desks import TestDesk, served
from support.api.serving import serving
from support.waiting import HANG, until

store = pytest.fixture(one_store)
desk = pytest.fixture(own_desk)


def changes(answer: httpx.Response) -> Iterator[int]:
    """Numbers of the events, as they come."""
    for line in answer.iter_lines():
        if line.startswith("data: "):
            yield int(line.removeprefix("data: "))


def test_a_change_is_told_and_a_look_is_not(desk: TestDesk) -> None:
    key = desk.given[Role.DESK]
    order, _ = desk.asked()
    with (
        serving(desk.api()) as address,
        httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=HANG) as client,
    ):
        with client.stream("GET", f"{address}{BASE}/changes?seconds=5") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            told = changes(answer)
            first = next(told)
            path = f"{address}{BASE}/orders/{order.id}"
            assert client.get(path).status_code == 200
            assert client.post(f"{path}/begin", json={"why": "came"}).status_code == 200
            second = next(told)
            assert second > first
            assert list(told) == [], "the stream ends by itself, and the look was no change"
        entries = client.get(f"{address}{BASE}/orders/{order.id}").json()["trail"]
    numbers = [entry["seq"] for entry in entries if not entry["what"].startswith("read.")]
    assert (first, second) == tuple(numbers[-2:])


def test_nobody_without_a_key_listens(desk: TestDesk) -> None:
    with served(desk.api()) as address:
        assert httpx.get(f"{address}{BASE}/changes", timeout=HANG).status_code == 401
        key = {"Authorization": f"Bearer {desk.given[Role.REGULATOR]}"}
        assert httpx.get(f"{address}{BASE}/changes?seconds=301", headers=key, timeout=HANG).status_code == 400


def test_the_server_stops_while_somebody_listens(desk: TestDesk) -> None:
    with listening_socket("127.0.0.1", 0) as listening:
        server = make_server(create_api(desk))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        until(lambda: server.started)
        address = f"http://{server_address('127.0.0.1', listening)}{BASE}/changes"
        headers = {"Authorization": f"Bearer {desk.given[Role.DESK]}"}
        with httpx.stream("GET", address, headers=headers, timeout=HANG) as answer:
            told = changes(answer)
            next(told)
            began = time.monotonic()
            server.should_exit = True
            assert list(told) == []
        thread.join(HANG)
        assert not thread.is_alive()
        assert time.monotonic() - began < HANG / 2
