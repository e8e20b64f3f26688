"""Client of Kamailio's JSON-RPC over a datagram socket, with pipelined requests."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from duanka.domain.network import ElementRefused
from duanka.network.deadline_socket import DeadlineSocket

_MAX_IN_FLIGHT = 8  # requests in flight: a datagram socket queues ten, and drops what finds the queue full

Question = tuple[str, tuple[object, ...]]


class RpcError(ElementRefused):
    """Kamailio answered with an error. `code`: its number."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code


class JsonRpc:
    """Client of the socket at `path`; raises Unreachable, RpcError.

    `seconds`: time limit of up to eight answers requested together.
    """

    def __init__(self, path: Path, *, seconds: float = 4.0) -> None:
        self._seconds = seconds
        self._numbers = itertools.count(int(time.monotonic() * 1000))
        self._socket = DeadlineSocket(path, "the call proxy", socket.SOCK_DGRAM)
        self.close = self._socket.close

    def ask(self, method: str, *parameters: object, seconds: float | None = None) -> Any:
        """Send one request; return its result."""
        answer = next(iter(self.ask_all([(method, parameters)], seconds=seconds)))
        if isinstance(answer, RpcError):
            raise answer
        return answer

    def ask_all(
        self, questions: Iterable[Question], *, seconds: float | None = None, until: float | None = None
    ) -> Iterator[Any]:
        """Send many requests; yield their results or RpcErrors in the same order.

        `seconds`: time limit of up to eight answers requested together. `until`: deadline of all of them in
        `time.monotonic()` seconds.
        """
        waiting = iter(questions)
        while some := list(itertools.islice(waiting, _MAX_IN_FLIGHT)):
            ends = time.monotonic() + (seconds or self._seconds)
            yield from self._some(some, ends if until is None else min(ends, until))

    def _some(self, questions: list[Question], until: float) -> list[Any]:
        asked = {next(self._numbers): question for question in questions}
        answers: dict[int, Any] = {}
        with self._socket.answering():
            self._socket.open(until)
            self._socket.send(
                *(_request(number, *question) for number, question in asked.items()), until=until
            )
            while len(answers) < len(asked):
                said = json.loads(self._socket.receive(until))
                if said.get("id") in asked:
                    answers[said["id"]] = _result(said)
        return [answers[number] for number in asked]


def _request(number: int, method: str, parameters: tuple[object, ...]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}).encode()


def _result(said: dict[str, Any]) -> Any:
    if "error" in said:
        return RpcError(int(said["error"].get("code", 0)), str(said["error"].get("message", "")))
    return said.get("result")
