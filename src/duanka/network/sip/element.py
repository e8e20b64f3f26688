"""The call proxy: Kamailio, which judges every call from tables in its own memory. See docs/NETWORK.md."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from duanka.domain.network import Carried, ElementRefused, ListOrigin, NetworkError, NetworkState, Refusal
from duanka.network.card_text import checked
from duanka.network.log_size import keep_small
from duanka.network.refusal_store import RefusedFile
from duanka.network.sip.json_rpc import JsonRpc, RpcError
from duanka.network.sip.lists import CallLists, other

CONTROL, REFUSED, LOG = "control.sock", "refused.sqlite", "kamailio.log"
_ACTIVE = NetworkState.ACTIVE
_NOT_THERE = (404, 500)  # what Kamailio answers when a table has no such key
_LOADS_WITHIN = 300.0  # seconds: a million entries take about 15


class CallProxy:
    """An Element, a WholeList and a RefusalSource on the Kamailio whose files are in `folder`, on this machine."""

    def __init__(self, folder: Path, *, name: str = "call_proxy", seconds: float = 4.0) -> None:
        self.name, self._seconds = name, seconds
        self._lists = CallLists(folder, seconds=seconds)
        self._rpc = JsonRpc(folder / CONTROL, seconds=seconds)
        self._refused = RefusedFile(folder / REFUSED, name, Carried.CALL)
        self._log = folder / LOG

    def bar_outgoing(self, card: str) -> None:
        """Refuse calls from the card."""
        self.put({card: NetworkState.OUTGOING_BARRED})

    def suspend(self, card: str) -> None:
        """Refuse calls from the card and to it."""
        self.put({card: NetworkState.SUSPENDED})

    def restore(self, card: str) -> None:
        """Let its calls pass."""
        self.put({card: NetworkState.ACTIVE})

    def put(self, cards: Mapping[str, NetworkState]) -> None:
        """Many changes with one write to the disk; where it fails, some may be made."""
        until = time.monotonic() + self._seconds
        states = {checked(card): None if state is _ACTIVE else state for card, state in cards.items()}
        with self._lists.locked():
            # the disk first: what is acknowledged is loaded again by a Kamailio that dies the moment after
            self._lists.put(states)
            self._tell(self._live(), states, until)

    def state_of(self, card: str) -> NetworkState:
        """Asked of Kamailio itself, not of our list."""
        checked(card)
        return next(self._states([card]))

    def shows(self, state: NetworkState) -> NetworkState:
        """The proxy can do all of them."""
        return state

    def restricted(self) -> Iterator[tuple[str, NetworkState]]:
        """What Kamailio does, asked of it for every card of the list on disk. Where they differ it loads the list."""
        cards, states = self._held()
        if self._differs([card for card, state in zip(cards, states, strict=True) if state is _ACTIVE]):
            self._exchange(self._lists.copy)
            cards, states = self._held()
        self._lists.keep_copy()
        for card, state in zip(cards, states, strict=True):
            if state is not _ACTIVE:
                yield card, state

    def replace_all(self, cards: Mapping[str, NetworkState]) -> None:
        """Fill the other list, then let it count, between two calls. Single changes meanwhile are in it.

        Takes seconds (100,000 cards about two), more than `seconds`; Refused while another list is being loaded.
        """
        for card in cards:
            checked(card)
        self._exchange(lambda filling: self._lists.fill(filling, cards))
        self._lists.keep_copy()

    def count(self) -> int:
        """Cards on the list that counts, asked of Kamailio itself."""
        held = {str(one["name"]): int(one["all"]) for one in self._rpc.ask("htable.stats")}
        return held[self._live()]

    def list_origin(self) -> ListOrigin:
        """What the lists on disk were read from at the last start at which they were spoilt.

        Asked every few seconds, so it also keeps the log of Kamailio small, where that lies in the folder.
        """
        keep_small(self._log)
        return self._lists.origin

    def confirm_list(self) -> None:
        """They agree with the order book."""
        with self._lists.locked():
            self._lists.confirm()

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

    def _exchange(self, fill: Callable[[str], None]) -> None:
        with self._lists.exchanging():
            self._agree()
            with self._lists.locked():
                filling = self._lists.begin()
            self._load(filling, fill)
            with self._lists.locked():
                # the disk first, so that a Kamailio which starts at any moment of this has every change too
                changed = self._lists.changed()
                self._lists.end(filling)
                self._tell(filling, changed)
                self._rpc.ask("htable.sets", "live", "list", filling)
            with contextlib.suppress(NetworkError):  # memory given back; the next exchange does it too
                self._rpc.ask("htable.flush", other(filling), seconds=_LOADS_WITHIN)

    def _load(self, filling: str, fill: Callable[[str], None]) -> None:
        """Outside the lock: it takes seconds, and single changes must not wait for it."""
        try:
            fill(filling)
            self._rpc.ask("htable.reload", filling, seconds=_LOADS_WITHIN)
        except NetworkError as error:
            with contextlib.suppress(NetworkError), self._lists.locked():
                self._lists.abandon()  # what is too much for its memory must not be loaded at the next start
            if isinstance(error, RpcError):
                raise ElementRefused(
                    f"the call proxy did not load the list ({error}): start it with more `entries`"
                ) from error
            raise

    def _agree(self) -> None:
        """Where an exchange was cut off before its last step, take the step: the disk says which list counts."""
        if self._live() == self._lists.live:
            return
        with self._lists.locked():
            self._rpc.ask("htable.reload", self._lists.live, seconds=_LOADS_WITHIN)
            self._rpc.ask("htable.sets", "live", "list", self._lists.live)

    def _held(self) -> tuple[list[str], list[NetworkState]]:
        self._agree()
        cards = self._lists.cards()
        return cards, list(self._states(cards))

    def _differs(self, odd: Sequence[str]) -> bool:
        """Whether Kamailio lacks one of the `odd` cards, or holds more than the disk; not what changes just now."""
        with self._lists.locked():
            held = {str(one["name"]): int(one["all"]) for one in self._rpc.ask("htable.stats")}
            missing = [card for card in odd if self._lists.has(card)]
            return _ACTIVE in self._states(missing) or held[self._live()] > self._lists.count()

    def _tell(
        self, table: str, states: Mapping[str, NetworkState | None], until: float | None = None
    ) -> None:
        """Put these cards into the table, or take them out: None."""
        asked = [
            ("htable.sets", (table, card, state.value)) if state else ("htable.delete", (table, card))
            for card, state in states.items()
        ]
        for (method, _), answer in zip(asked, self._rpc.ask_all(asked, until=until), strict=True):
            if isinstance(answer, RpcError) and (method == "htable.sets" or answer.code not in _NOT_THERE):
                raise answer

    def _live(self) -> str:
        return str(self._rpc.ask("htable.get", "live", "list")["item"]["value"])

    def _states(self, cards: Sequence[str]) -> Iterator[NetworkState]:
        live = self._live()
        for answer in self._rpc.ask_all(("htable.get", (live, card)) for card in cards):
            if isinstance(answer, RpcError):
                if answer.code not in _NOT_THERE:
                    raise answer
                yield _ACTIVE
            else:
                yield NetworkState(answer["item"]["value"])
