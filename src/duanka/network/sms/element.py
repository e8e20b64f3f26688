"""Message proxy adapter: implements Element, WholeList and RefusalSource.

See docs/NETWORK.md.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from duanka.domain.network import Carried, ElementRefused, ListOrigin, NetworkState
from duanka.network.card_states import ProxyElement, checked
from duanka.network.deadline_socket import DeadlineSocket
from duanka.network.refusal_store import RefusedFile
from duanka.network.sms.proxy.denied import DeniedTexts
from duanka.network.sms.proxy.process import CONTROL, REFUSED

_CARDS_PER_PAGE, _CARDS_PER_CHUNK = 10_000, 5_000


class MessageProxy(ProxyElement):
    """The message proxy whose files are in `folder`.

    `seconds`: time limit of a call. A list of a million cards takes several; use a larger value for that.
    """

    def __init__(self, folder: Path, *, name: str = "message_proxy", seconds: float = 4.0) -> None:
        self.name = name
        self._line = _Line(folder / CONTROL, seconds)
        self.close = self._line.close
        self.refused = RefusedFile(folder / REFUSED, name, Carried.MESSAGE)

    def put(self, cards: Mapping[str, NetworkState]) -> None:
        """Change many cards in one transaction: all or none."""
        self._line.ask("set", cards=_rows(cards))

    def state_of(self, card: str) -> NetworkState:
        """Return the state by which the proxy judges messages now."""
        return NetworkState(self._line.ask("states", cards=[checked(card)])["states"][0])

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

    def status(self) -> dict[str, Any]:
        """Return counts since the proxy started, and the number of cards on its list."""
        said = self._line.ask("status")
        return {key: value for key, value in said.items() if key != "id"}

    def list_origin(self) -> ListOrigin:
        """Return what the list was read from; FILE for versions that do not say."""
        return ListOrigin(self.status().get("list_from", ListOrigin.FILE))

    def denies(self, hosts: Sequence[str], words: Sequence[str]) -> bool:
        """Whether exactly these hosts and words are refused beside the policy's lists."""
        return bool(self.status().get("denied") == DeniedTexts(tuple(hosts), tuple(words)).digest)

    def deny(self, hosts: Sequence[str], words: Sequence[str]) -> None:
        """Refuse messages with these hosts or words from now on, beside the policy's lists, and no others."""
        self._line.ask("deny", hosts=list(hosts), words=list(words))

    def confirm_list(self) -> None:
        """Record that the list agrees with the orders."""
        self._line.ask("confirm")


class _Line:
    """Requests and answers, one line of JSON each. Requests are idempotent."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._seconds = seconds
        self._numbers = itertools.count(1)
        self._socket = DeadlineSocket(path, "the message proxy")
        self.close = self._socket.close

    def ask(self, what: str, **words: Any) -> dict[str, Any]:
        """Send one request; return its answer."""
        return self.ask_all([(what, words)])[0]

    def ask_all(self, questions: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        """Send requests one after another on one connection, within the time of one call."""
        until = time.monotonic() + self._seconds
        with self._socket.answering():
            self._socket.open(until)
            return [self._asked(what, words, until) for what, words in questions]

    def _asked(self, what: str, words: dict[str, Any], until: float) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "do": what, **words}).encode(), b"\n", until=until)
        said = json.loads(self._socket.take(lambda received: received.find(b"\n") + 1, until))
        if not isinstance(said, dict) or said.get("id") != number:
            raise ValueError("an answer to another question")
        if "error" in said:
            raise ElementRefused(f"the message proxy: {said['error']}")
        return said


def _rows(cards: Mapping[str, NetworkState]) -> list[tuple[str, str]]:
    return [(checked(card), state.value) for card, state in cards.items()]
