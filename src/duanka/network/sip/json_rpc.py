"""Client of Kamailio's JSON-RPC over a datagram socket, with pipelined requests."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from duanka.domain.network import ElementRefused, Unreachable
from duanka.network.unix_path import reachable

_MAX_IN_FLIGHT = 8  # requests in flight: a datagram socket queues ten, and drops what finds the queue full
_MAX_DATAGRAM_BYTES = 65_535

Question = tuple[str, tuple[object, ...]]


class RpcError(ElementRefused):
    """Kamailio answered with an error. `code`: its number."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code


class JsonRpc:
    """Client of the socket at `path`. `seconds`: time limit of one answer.

    Raises Unreachable and RpcError.
    """

    def __init__(self, path: Path, *, seconds: float = 4.0) -> None:
        self._path, self._seconds = path, seconds
        self._numbers = itertools.count(int(time.monotonic() * 1000))
        self._socket: socket.socket | None = None

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

        `seconds`: time limit of one answer. `until`: deadline of all of them in `time.monotonic()` seconds.
        """
        left = iter(questions)
        while some := list(itertools.islice(left, _MAX_IN_FLIGHT)):
            most = seconds or self._seconds
            yield from self._some(some, most if until is None else min(most, until - time.monotonic()))

    def close(self) -> None:
        """Close the socket."""
        if self._socket:
            self._socket.close()
        self._socket = None

    def _some(self, questions: list[Question], seconds: float) -> list[Any]:
        until = time.monotonic() + seconds
        numbers = [next(self._numbers) for _ in questions]
        answers: dict[int, Any] = {}
        try:
            with reachable(self._path) as address:
                self._socket = self._socket or _bound()
                for number, (method, parameters) in zip(numbers, questions, strict=True):
                    asked = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
                    self._socket.settimeout(max(0.001, until - time.monotonic()))
                    self._socket.sendto(json.dumps(asked).encode(), address)
            while len(answers) < len(questions):
                self._socket.settimeout(max(0.001, until - time.monotonic()))
                said = json.loads(self._socket.recv(_MAX_DATAGRAM_BYTES))
                if said.get("id") in numbers:
                    answers[said["id"]] = _result(said)
        except (OSError, ValueError) as error:
            self.close()  # a late answer must not be matched to the next request
            raise Unreachable(
                f"the call proxy at {self._path} does not answer: {str(error) or 'silent'}"
            ) from error
        return [answers[number] for number in numbers]


def _bound() -> socket.socket:
    asking = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    asking.bind("")  # autobind to an abstract address: leaves no file behind
    return asking


def _result(said: dict[str, Any]) -> Any:
    if "error" in said:
        return RpcError(int(said["error"].get("code", 0)), str(said["error"].get("message", "")))
    return said.get("result")
