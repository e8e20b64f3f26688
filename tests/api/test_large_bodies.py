"""A body without end is refused while it comes, and is never held: sent on a bare socket, as an attacker would."""

from __future__ import annotations

import json
import socket
import tracemalloc
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from duanka.api import BASE
from duanka.domain.identity import CheckReason
from support.api.asking import one_store, own_desk
from support.api.desks import TestDesk, served
from support.api.recordings import recording
from support.waiting import HANG

store = pytest.fixture(one_store)
desk = pytest.fixture(own_desk)

_SENT, _PIECE = 100 << 20, 1 << 18  # bytes
_HELD = 16 << 20  # bytes that the server may need at most for a body of which it takes 6 MiB


@pytest.fixture
def address(desk: TestDesk) -> Iterator[str]:
    with served(desk.api()) as address:
        yield address


def _asked(address: str, headers: list[str], *, chunked: bool) -> tuple[int, bytes]:
    """Send 100 MiB, as far as they are taken: how much was, and what came back."""
    where = urlsplit(address)
    assert where.hostname
    assert where.port
    head = [f"POST {BASE}/holder/check HTTP/1.1", "Host: test", "Content-Type: application/json", *headers]
    head.append("Transfer-Encoding: chunked" if chunked else f"Content-Length: {_SENT}")
    piece = b"x" * _PIECE
    piece = b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
    sent, answer = 0, b""
    with socket.create_connection((where.hostname, where.port), timeout=HANG) as speaking:
        try:
            speaking.sendall("\r\n".join([*head, "", ""]).encode())
            while sent < _SENT:
                speaking.sendall(piece)
                sent += _PIECE
        except ConnectionError:  # the server hung up, after its answer
            pass
        try:
            while part := speaking.recv(1 << 16):
                answer += part
        except ConnectionError:
            pass
    return sent, answer


@pytest.mark.parametrize("chunked", [False, True], ids=["stated", "chunked"])
def test_a_hundred_megabytes_are_refused_and_never_held(
    desk: TestDesk, address: str, *, chunked: bool
) -> None:
    headers = [f"Authorization: Bearer {desk.sits()}"]
    tracemalloc.start()
    try:
        sent, answer = _asked(address, headers, chunked=chunked)
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 "), answer[:200]
    told = json.loads(body)
    assert (told["status"], told["reason"]) == (413, CheckReason.TOO_LARGE)
    assert told["words"]["zh"] == CheckReason.TOO_LARGE.words.zh
    assert held < _HELD, f"{held >> 20} MiB held"
    assert sent < _SENT // 2, "it hung up"


def test_who_has_no_session_is_refused_before_a_picture_is_read(address: str) -> None:
    sent, answer = _asked(address, [], chunked=True)
    assert answer.startswith(b"HTTP/1.1 401 "), answer[:200]
    assert sent < _SENT // 2, "it hung up"


def test_pictures_have_six_mebibytes_and_everything_else_one(desk: TestDesk, address: str) -> None:
    token = desk.sits()
    number = desk.way.verification.challenge(token, desk.clock.now).id
    desk.clock.now = desk.clock.now.replace(second=4)
    body = json.dumps(recording(number, frames=40, size=110_000))
    assert (5 << 20) < len(body) < (6 << 20)
    mine = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    taken = httpx.post(f"{address}{BASE}/holder/check", content=body, headers=mine, timeout=HANG)
    assert taken.status_code == 202, taken.text
    other = httpx.post(f"{address}{BASE}/holder/session", content=body, headers=mine, timeout=HANG)
    assert other.status_code == 413
    assert "reason" not in other.json()
