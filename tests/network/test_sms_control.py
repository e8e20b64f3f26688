"""How the message proxy is told, where one side breaks off, dawdles or talks nonsense."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from duanka.domain.network import ElementRefused, NetworkState, Unreachable
from duanka.network.deadline_socket import reachable
from duanka.network.sms.element import MessageProxy
from duanka.network.sms.proxy.process import CONTROL
from duanka.sandbox.message_proxy import OwnMessageProxy
from support.network.esme import BLOCKED
from support.network.message_path import own_centre, own_proxy
from support.waiting import HANG

centre = pytest.fixture(own_centre)
proxy = pytest.fixture(own_proxy)


class Line:
    """The control socket as it is on the wire."""

    def __init__(self, proxy: OwnMessageProxy) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(HANG)
        with reachable(proxy.folder / CONTROL) as address:
            self.socket.connect(address)
        self._file = self.socket.makefile("rb")

    def say(self, line: bytes) -> Any:
        self.socket.sendall(line + b"\n")
        return json.loads(self._file.readline())

    def close(self) -> None:
        self._file.close()
        self.socket.close()


def test_only_the_owner_may_tell(proxy: OwnMessageProxy) -> None:
    assert (proxy.folder / CONTROL).stat().st_mode & 0o777 == 0o600


def test_the_folder_is_for_its_owner_alone(proxy: OwnMessageProxy) -> None:
    """Numbers stand in it, and whoever can open the lock could hold it."""
    with closing(proxy.element()) as element:
        element.suspend(BLOCKED)
    proxy.stop()
    for one in (proxy.folder, *proxy.folder.iterdir()):  # as an earlier version left it
        one.chmod(0o777)
    proxy.start()
    modes = {one.name: one.stat().st_mode & 0o777 for one in proxy.folder.iterdir()}
    assert modes == dict.fromkeys(modes, 0o600)
    assert len(modes) >= 5
    assert proxy.folder.stat().st_mode & 0o777 == 0o700


def test_a_list_that_breaks_off_is_no_list(proxy: OwnMessageProxy) -> None:
    with closing(proxy.element()) as element:
        element.suspend(BLOCKED)
        with closing(Line(proxy)) as half:
            staged = {"id": 1, "do": "stage", "first": True, "cards": [["8613800138001", "suspended"]]}
            assert half.say(json.dumps(staged).encode()) == {"id": 1, "staged": 1}
        with closing(Line(proxy)) as other:  # what one began, another cannot end
            said = other.say(b'{"id": 2, "do": "exchange", "count": 1}')
            assert (said["id"], "error" in said) == (2, True)
        assert dict(element.restricted()) == {BLOCKED: NetworkState.SUSPENDED}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"[]",
        b"17",
        b"\xff\xfe",
        b'{"id": 1}',
        b'{"do": "explode"}',
        b'{"do": "set"}',
        b'{"do": "set", "cards": [["1"]]}',
        b'{"do": "set", "cards": [["8613800138000", "dead"]]}',
        b'{"do": "page", "after": "", "limit": "many"}',
    ],
)
def test_nonsense_is_answered_and_changes_nothing(proxy: OwnMessageProxy, line: bytes) -> None:
    with closing(Line(proxy)) as talking, closing(proxy.element()) as element:
        assert "error" in talking.say(line)
        assert talking.say(b'{"id": "x", "do": "states", "cards": ["1"]}') == {
            "id": "x",
            "states": ["active"],
        }
        assert list(element.restricted()) == []


def test_the_same_value_goes_on_after_the_proxy_was_started_again(proxy: OwnMessageProxy) -> None:
    with closing(proxy.element()) as element:
        element.suspend(BLOCKED)
        proxy.stop()
        proxy.start()
        assert element.state_of(BLOCKED) is NetworkState.SUSPENDED  # no call failed in between


def answering(folder: Path, pieces: list[bytes], pause: float) -> threading.Thread:
    """Something at the control socket that answers one connection after another in `pieces`."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with reachable(folder / CONTROL) as address:
        listening.bind(address)
    listening.listen()
    listening.settimeout(HANG)

    def answer() -> None:
        with listening, listening.accept()[0] as connection:
            connection.recv(1 << 16)
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)
            except OSError:
                return

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def test_who_answers_a_letter_at_a_time_is_silent(tmp_path: Path) -> None:
    thread = answering(tmp_path, [b" "] * 30, 0.1)
    with closing(MessageProxy(tmp_path, seconds=0.5)) as element:
        began = time.monotonic()
        with pytest.raises(Unreachable):
            element.suspend(BLOCKED)
        assert time.monotonic() - began < HANG / 4
    thread.join()


@pytest.mark.parametrize("said", [b"nonsense\n", b'{"id": 99}\n', b"[]\n", b'{"id": 1'])
def test_an_answer_that_is_none(tmp_path: Path, said: bytes) -> None:
    thread = answering(tmp_path, [said], 0.0)
    with closing(MessageProxy(tmp_path, seconds=HANG)) as element, pytest.raises(Unreachable):
        element.suspend(BLOCKED)
    thread.join()


def test_a_no_is_for_a_person(tmp_path: Path) -> None:
    thread = answering(tmp_path, [b'{"id": 1, "error": "OSError: disk full"}\n'], 0.0)
    with (
        closing(MessageProxy(tmp_path, seconds=HANG)) as element,
        pytest.raises(ElementRefused, match="disk full"),
    ):
        element.suspend(BLOCKED)
    thread.join()
