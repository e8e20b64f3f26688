"""The call proxy: Kamailio, which judges every call from tables in its own memory. See docs/NETWORK.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from duanka.domain.network import (
    Carried,
    NetworkState,
    Refusal,
    UnknownCard,
)
from duanka.network.call_lists import CallLists
from duanka.network.json_rpc import JsonRpc, RpcError
from duanka.network.refused_file import RefusedFile

CONTROL, REFUSED = "control.sock", "refused.sqlite"
_CARD = re.compile(r"[0-9]{1,15}")
_NOT_THERE = (404, 500)  # what Kamailio answers when a table has no such key
_LOADS_WITHIN = 300.0  # seconds: a million entries take about 15


class CallProxy:
    """An Element, a WholeList and a RefusalSource on the Kamailio whose files are in `folder`, on this machine."""

    def __init__(self, folder: Path, *, name: str = "call_proxy", seconds: float = 4.0) -> None:
        self.name = name
        self._lists = CallLists(folder, seconds=seconds)
        self._rpc = JsonRpc(folder / CONTROL, seconds=seconds)
        self._refused = RefusedFile(folder / REFUSED, name, Carried.CALL)

    def bar_outgoing(self, card: str) -> None:
        """Refuse calls from the card."""
        self._put(card, NetworkState.OUTGOING_BARRED)

    def suspend(self, card: str) -> None:
        """Refuse calls from the card and to it."""
        self._put(card, NetworkState.SUSPENDED)

    def restore(self, card: str) -> None:
        """Let its calls pass."""
        self._put(card, None)

    def state_of(self, card: str) -> NetworkState:
        """Asked of Kamailio itself, not of our list."""
        _checked(card)
        return next(self._states([card]))

    def shows(self, state: NetworkState) -> NetworkState:
        """The proxy can do all of them."""
        return state

    def restricted(self) -> Iterator[tuple[str, NetworkState]]:
        """What Kamailio holds of the list on disk. Where it holds more than that, it loads the list again."""
        live = self._live()
        cards = self._lists.cards()
        held = {str(one["name"]): int(one["all"]) for one in self._rpc.ask("htable.stats")}
        if held.get(live, 0) > len(cards):
            self._rpc.ask("htable.reload", live, seconds=_LOADS_WITHIN)
        for card, state in zip(cards, self._states(cards), strict=True):
            if state is not NetworkState.ACTIVE:
                yield card, state

    def replace_all(self, cards: Mapping[str, NetworkState]) -> None:
        """Fill the other list, then let it count, between two calls. Single changes meanwhile are in it."""
        for card in cards:
            _checked(card)
        with self._lists.exchanging():
            with self._lists.locked():
                filled = self._lists.begin()
            # outside the lock: it takes seconds, and single changes must not wait for it
            self._lists.fill(filled, cards)
            self._rpc.ask("htable.reload", filled, seconds=_LOADS_WITHIN)
            with self._lists.locked():
                for card, state in self._lists.changed():
                    self._tell(filled, card, state)
                self._lists.end(filled)
                self._rpc.ask("htable.sets", "live", "list", filled)

    def refusals(self, after: int, limit: int) -> tuple[Sequence[Refusal], int]:
        """What Kamailio refused and wrote down after position `after`."""
        return self._refused.read(after, limit)

    def forget(self, before: int) -> None:
        """Remove what is recorded elsewhere."""
        self._refused.forget(before)

    def close(self) -> None:
        """Give sockets and files back."""
        self._rpc.close()
        self._lists.close()

    def _put(self, card: str, state: NetworkState | None) -> None:
        _checked(card)
        with self._lists.locked():
            # the disk first: what is acknowledged is loaded again by a Kamailio that dies the moment after
            self._lists.put(card, state)
            self._tell(self._live(), card, state)

    def _tell(self, table: str, card: str, state: NetworkState | None) -> None:
        if state is not None:
            self._rpc.ask("htable.sets", table, card, state.value)
            return
        try:
            self._rpc.ask("htable.delete", table, card)
        except RpcError as error:
            if error.code not in _NOT_THERE:
                raise

    def _live(self) -> str:
        return str(self._rpc.ask("htable.get", "live", "list")["item"]["value"])

    def _states(self, cards: Sequence[str]) -> Iterator[NetworkState]:
        live = self._live()
        for answer in self._rpc.ask_all(("htable.get", (live, card)) for card in cards):
            if isinstance(answer, RpcError):
                if answer.code not in _NOT_THERE:
                    raise answer
                yield NetworkState.ACTIVE
            else:
                yield NetworkState(answer["item"]["value"])


def _checked(card: str) -> str:
    if not _CARD.fullmatch(card):
        raise UnknownCard(f"{card!r} is no card number")
    return card
