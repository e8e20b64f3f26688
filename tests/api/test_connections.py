"""Connections that send slowly, send nothing, or are very many: on bare sockets, as an attacker holds them."""

from __future__ import annotations

import json
import resource
import socket
import threading
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from duanka.api import BASE, RequestLimits, create_api
from duanka.api.http.client_addresses import UNKNOWN, TrustedProxies, client_key
from duanka.api.http.connections import ConnectionLimits, LimitedConnection
from duanka.api.server import listening_socket, make_server
from duanka.domain.errors import DuankaError
from duanka.domain.order import Role
from support.api.asking import one_store, own_desk
from support.api.desks import TestDesk
from support.api.serving import serving
from support.waiting import HANG, until

store = pytest.fixture(one_store)
desk = pytest.fixture(own_desk)

QUICK = ConnectionLimits(
    total=40, per_address=30, header_seconds=1.0, body_seconds=1.0, body_rate=100_000, answer_seconds=1.0
)
HEALTH = f"{BASE}/health"


def opened(address: str, stack: ExitStack, sent: bytes = b"") -> socket.socket:
    where = urlsplit(address)
    connection = stack.enter_context(socket.create_connection((where.hostname, where.port), timeout=HANG))
    connection.sendall(sent)
    return connection


def read_to_the_end(connection: socket.socket) -> bytes:
    """What comes until the server hangs up; fails where it does not."""
    answer = b""
    try:
        while part := connection.recv(1 << 16):
            answer += part
    except ConnectionError:
        pass
    return answer


BEGUN = f"POST {BASE}/acts HTTP/1.1\r\nHost: x\r\nX-A: b\r\n".encode()


def test_hundreds_of_slow_connections_shut_nobody_out(desk: TestDesk) -> None:
    patient = ConnectionLimits(total=40, per_address=30, header_seconds=HANG)
    with serving(desk.api(), patient) as address, ExitStack() as held:
        slow = [opened(address, held, BEGUN) for _ in range(400)]
        for _ in range(5):
            assert httpx.get(address + HEALTH, timeout=HANG).status_code == 200
        for one in slow[:300]:
            assert read_to_the_end(one) == b"", "the longest waiting gives its place"


def test_the_worker_keeps_descriptors(desk: TestDesk) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
        server = make_server(desk.api(), limits=ConnectionLimits(total=512))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    http = server.config.http
    assert isinstance(http, type)
    assert issubclass(http, LimitedConnection)
    assert http.gate.limits.total == 150


def test_headers_must_come_in_time_and_a_byte_now_and_then_does_not_help(desk: TestDesk) -> None:
    with serving(desk.api(), QUICK) as address, ExitStack() as held:
        silent, begun, drips = (
            opened(address, held),
            opened(address, held, BEGUN),
            opened(address, held, BEGUN),
        )
        over = threading.Event()

        def drip() -> None:
            while not over.wait(0.1):
                try:
                    drips.send(b"X")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            for one in (silent, begun, drips):
                answer = read_to_the_end(one)
                assert not answer or answer.startswith(b"HTTP/1.1 408")
        finally:
            over.set()
            dripping.join()


def test_a_second_request_on_a_connection_has_its_time_too(desk: TestDesk) -> None:
    with serving(desk.api(), QUICK) as address, ExitStack() as held:
        whole = f"GET {HEALTH} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        both, apart = opened(address, held, whole + BEGUN), opened(address, held, whole)
        apart.recv(1 << 16)
        apart.sendall(BEGUN)
        for one in (both, apart):
            assert b" 408 " in read_to_the_end(one)


def test_a_body_must_come_in_time_and_a_slow_line_may_go_on(desk: TestDesk) -> None:
    key = desk.given[Role.DESK]
    body = json.dumps({"why": "w" * 400}).encode()
    head = (
        f"POST {BASE}/order-searches HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with serving(desk.api(), QUICK) as address, ExitStack() as held:
        never = opened(address, held, head + body[:1])
        assert read_to_the_end(never).startswith(b"HTTP/1.1 408")
    slow = ConnectionLimits(header_seconds=HANG, body_seconds=0.2, body_rate=10)
    with serving(desk.api(), slow) as address, ExitStack() as held:
        one, pause = opened(address, held, head + body[:200]), threading.Event()
        for at in range(200, len(body)):
            if at % 100 == 0:
                pause.wait(0.3)
            one.sendall(body[at : at + 1])
        assert one.recv(1 << 16).startswith(b"HTTP/1.1 400"), "it came, and was read"


@pytest.mark.parametrize(
    "path", ["/acts", "/order-searches", "/holder/session", "/holder/objection", "/demands"]
)
def test_a_body_is_not_waited_for_before_the_key_is_looked_at(desk: TestDesk, path: str) -> None:
    patient = ConnectionLimits(header_seconds=HANG, body_seconds=HANG)
    with serving(desk.api(), patient) as address, ExitStack() as held:
        for header in ("", f"Authorization: Bearer dk_{'x' * 43}\r\n"):
            head = f"POST {BASE}{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{header}"
            one = opened(address, held, f"{head}Content-Length: 1000000\r\n\r\n{{".encode())
            assert read_to_the_end(one).startswith(b"HTTP/1.1 401")


def test_one_address_has_its_share_and_a_trusted_proxy_all(desk: TestDesk) -> None:
    key = desk.given[Role.DESK]
    head = (
        f"POST {BASE}/order-searches HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    ).encode()
    few = ConnectionLimits(total=30, per_address=4, header_seconds=HANG, body_seconds=HANG)
    for trusted, expected in (("", b"503"), ("127.0.0.0/8", b"200")):
        with serving(desk.api(), few, trusted) as address, ExitStack() as held:
            for _ in range(4):
                opened(address, held, head)  # these are at work: nobody takes their place
            until(lambda address=address, expected=expected: _status(address) == expected)  # type: ignore[misc]


def _status(address: str) -> bytes:
    with ExitStack() as stack:
        asks = f"GET {HEALTH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        return read_to_the_end(opened(address, stack, asks))[9:12]


def test_who_takes_nothing_of_the_answer_is_let_go(desk: TestDesk) -> None:
    with serving(desk.api(), QUICK) as address, ExitStack() as held:
        greedy = held.enter_context(socket.socket())
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.settimeout(HANG)
        where = urlsplit(address)
        greedy.connect((where.hostname, where.port))
        asks = f"GET {BASE}/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        for _ in range(40):
            try:
                greedy.sendall(asks)
            except ConnectionError:
                break

        def gone() -> bool:
            try:
                greedy.send(b"G")
            except OSError:
                return True
            return False

        until(gone)


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:c000:207", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("junk", UNKNOWN),
        ("", UNKNOWN),
        ("192.0.2.7:1234", UNKNOWN),
    ],
)
def test_whom_a_limit_by_address_is_about(host: str, key: str) -> None:
    assert client_key(host) == key


def test_which_proxies_are_trusted() -> None:
    trusted = TrustedProxies("127.0.0.1, 10.0.0.0/8,2001:db8::/32")
    assert [one in trusted for one in ("127.0.0.1", "10.9.9.9", "::ffff:10.1.1.1", "2001:db8::5")] == [
        True
    ] * 4
    assert [one in trusted for one in ("127.0.0.2", "11.0.0.1", "::1", "x", "")] == [False] * 5
    assert "127.0.0.1" not in TrustedProxies()
    with pytest.raises(DuankaError, match="DUANKA_TRUSTED_PROXIES"):
        TrustedProxies("proxy.example")


@pytest.mark.parametrize(("trusted", "slowed"), [("", True), ("127.0.0.1", False)])
def test_whose_forwarded_address_is_believed(desk: TestDesk, trusted: str, slowed: bool) -> None:

    limits = RequestLimits(failed=1, failed_burst=3)
    api = create_api(desk, desk.clock, limits, None)
    with serving(api, trusted=trusted) as address:
        answers = [
            httpx.get(
                f"{address}{BASE}/orders",
                headers={"X-Forwarded-For": f"192.0.2.{n}", "Authorization": "Bearer x"},
                timeout=HANG,
            ).status_code
            for n in range(12)
        ]
    assert (429 in answers) is slowed


@pytest.mark.parametrize("host", ["::1", "127.0.0.1", "localhost"])
def test_it_listens_at_every_kind_of_address(desk: TestDesk, host: str) -> None:
    with serving(desk.api(), ConnectionLimits(), host=host) as address:
        assert httpx.get(address + HEALTH, timeout=HANG).status_code == 200


def test_a_host_that_is_not_ours_and_a_port_that_is_taken_are_told_apart() -> None:
    with pytest.raises(DuankaError, match="no address of this machine"), listening_socket("192.0.2.1", 0):
        pass
    with (
        pytest.raises(DuankaError, match="no address of this machine"),
        listening_socket("no.such.host.invalid", 0),
    ):
        pass
    with listening_socket("::1", 0) as first:
        first.listen()
        taken = first.getsockname()[1]
        with (
            pytest.raises(DuankaError, match=f"port {taken} of ::1 is taken"),
            listening_socket("::1", taken),
        ):
            pass
