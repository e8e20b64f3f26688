"""Message proxy adapter: an element, a whole list, a source of refusals.

See docs/NETWORK.md.
"""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from duanka.domain.network import (
    Carried,
    ElementRefused,
    ListOrigin,
    NetworkState,
    Refusal,
    Unreachable,
)
from duanka.network.card_text import checked
from duanka.network.refusal_store import RefusedFile
from duanka.network.sms.proxy.process import CONTROL, REFUSED
from duanka.network.unix_path import reachable

_CARDS_PER_PAGE, _CARDS_PER_CHUNK = 10_000, 5_000


class MessageProxy:
    """Element, WholeList and RefusalSource of the message proxy in `folder`.

    `seconds`: time limit of a call. A list of a million cards takes several; use a larger value for that.
    """

    def __init__(self, folder: Path, *, name: str = "message_proxy", seconds: float = 4.0) -> None:
        self.name = name
        self._line = _Line(folder / CONTROL, seconds)
        self._refused = RefusedFile(folder / REFUSED, name, Carried.MESSAGE)

    def bar_outgoing(self, card: str) -> None:
        """Refuse messages from the card."""
        self.put({card: NetworkState.OUTGOING_BARRED})

    def suspend(self, card: str) -> None:
        """Refuse messages from and to the card."""
        self.put({card: NetworkState.SUSPENDED})

    def restore(self, card: str) -> None:
        """Allow messages of the card."""
        self.put({card: NetworkState.ACTIVE})

    def put(self, cards: Mapping[str, NetworkState]) -> None:
        """Change many cards in one transaction: all or none."""
        self._line.ask("set", cards=_rows(cards))

    def state_of(self, card: str) -> NetworkState:
        """Return the state by which the proxy judges messages now."""
        return NetworkState(self._line.ask("states", cards=[checked(card)])["states"][0])

    def shows(self, state: NetworkState) -> NetworkState:
        """The proxy supports every state."""
        return state

    def restricted(self) -> Iterator[tuple[str, NetworkState]]:
        """Yield restricted cards in the order of their digits."""
        after = ""
        while page := self._line.ask("page", after=after, limit=_CARDS_PER_PAGE)["cards"]:
            for card, state in page:
                yield card, NetworkState(state)
            after = page[-1][0]

    def replace_all(self, cards: Mapping[str, NetworkState]) -> None:
        """Send the list in pieces; it takes effect at once, between two messages."""
        rows = _rows(cards)
        pieces = [rows[at : at + _CARDS_PER_CHUNK] for at in range(0, len(rows), _CARDS_PER_CHUNK)] or [[]]
        steps: list[tuple[str, dict[str, Any]]] = [
            ("stage", {"first": number == 0, "cards": piece}) for number, piece in enumerate(pieces)
        ]
        self._line.ask_all([*steps, ("exchange", {"count": len(rows)})])

    def refusals(self, after: int, limit: int) -> tuple[Sequence[Refusal], int]:
        """Return what the proxy refused after position `after`."""
        return self._refused.read(after, limit)

    def forget(self, before: int) -> None:
        """Delete refusals that are recorded elsewhere."""
        self._refused.forget(before)

    def status(self) -> dict[str, Any]:
        """Return counts since the proxy started.

        Links, passed, refused by reason, malformed, lost; and the number of cards on its list.
        """
        said = self._line.ask("status")
        return {key: value for key, value in said.items() if key != "id"}

    def list_origin(self) -> ListOrigin:
        """Return what the list was read from; FILE for versions that do not say."""
        return ListOrigin(self.status().get("list_from", ListOrigin.FILE))

    def confirm_list(self) -> None:
        """Record that the list agrees with the orders."""
        self._line.ask("confirm")

    def close(self) -> None:
        """Close the socket."""
        self._line.close()


class _Line:
    """Requests and answers, one line of JSON each."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path, self._seconds = path, seconds
        self._numbers = itertools.count(1)
        self._socket: socket.socket | None = None
        self._read = b""

    def ask(self, what: str, **words: Any) -> dict[str, Any]:
        """Send one request; return its answer."""
        return self.ask_all([(what, words)])[0]

    def ask_all(self, questions: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        """Send requests one after another on one connection, within the time of one call."""
        until = time.monotonic() + self._seconds
        fresh = self._socket is None
        try:
            try:
                return [self._asked(what, words, until) for what, words in questions]
            except (BrokenPipeError, ConnectionResetError, EOFError):
                # the proxy restarted since the last call; requests are idempotent
                if fresh:
                    raise
                self.close()
                return [self._asked(what, words, until) for what, words in questions]
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise Unreachable(f"the message proxy at {self._path} does not answer: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        if self._socket:
            self._socket.close()
        self._socket, self._read = None, b""

    def _asked(self, what: str, words: dict[str, Any], until: float) -> dict[str, Any]:
        number = next(self._numbers)
        connection = self._socket or self._open(until)
        connection.settimeout(_left(until))
        connection.sendall(json.dumps({"id": number, "do": what, **words}).encode() + b"\n")
        while b"\n" not in self._read:
            connection.settimeout(_left(until))
            block = connection.recv(1 << 18)
            if not block:
                raise EOFError("closed by the other side")
            self._read += block
        line, _, self._read = self._read.partition(b"\n")
        said = json.loads(line)
        if not isinstance(said, dict) or said.get("id") != number:
            raise ValueError("an answer to another question")
        if "error" in said:
            raise ElementRefused(f"the message proxy: {said['error']}")
        return said

    def _open(self, until: float) -> socket.socket:
        self._socket = connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_left(until))
        with reachable(self._path) as address:
            connection.connect(address)
        return connection


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("silent")
    return left


def _rows(cards: Mapping[str, NetworkState]) -> list[tuple[str, str]]:
    return [(checked(card), state.value) for card, state in cards.items()]
