"""Call proxy adapter: Kamailio checks every call against tables in its memory.

See docs/NETWORK.md.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from duanka.domain.network import Carried, ElementRefused, ListOrigin, NetworkError, NetworkState
from duanka.network.card_states import ProxyElement, checked
from duanka.network.process_logs import keep_small
from duanka.network.refusal_store import RefusedFile
from duanka.network.sip.json_rpc import JsonRpc, RpcError
from duanka.network.sip.lists import CallLists, other

CONTROL, REFUSED, LOG = "control.sock", "refused.sqlite", "kamailio.log"
_ACTIVE = NetworkState.ACTIVE
_NO_SUCH_KEY = (404, 500)  # Kamailio's error codes for a key that is not in a table
_LOAD_SECONDS = 300.0  # seconds to load a list: a million entries take about 15


class CallProxy(ProxyElement):
    """Element, WholeList and RefusalSource of the Kamailio in `folder`."""

    def __init__(self, folder: Path, *, name: str = "call_proxy", seconds: float = 4.0) -> None:
        self.name, self._seconds = name, seconds
        self._lists = CallLists(folder, seconds=seconds)
        self._rpc = JsonRpc(folder / CONTROL, seconds=seconds)
        self.refused = RefusedFile(folder / REFUSED, name, Carried.CALL)
        self._log = folder / LOG

    def put(self, cards: Mapping[str, NetworkState]) -> None:
        """Change many cards with one disk write; on an error some may be changed."""
        until = time.monotonic() + self._seconds
        states = {checked(card): None if state is _ACTIVE else state for card, state in cards.items()}
        with self._lists.locked():
            # disk first: if Kamailio dies after this, it loads the change at its next start
            self._lists.put(states)
            self._tell(self._live(), states, until)

    def state_of(self, card: str) -> NetworkState:
        """Read the state from Kamailio itself, not from the list on disk."""
        checked(card)
        return next(self._states([card]))

    def restricted(self) -> Iterator[tuple[str, NetworkState]]:
        """Yield the cards that Kamailio restricts; first reload its list if it differs."""
        cards, states = self._held()
        if self._differs([card for card, state in zip(cards, states, strict=True) if state is _ACTIVE]):
            self._exchange(self._lists.copy)
            cards, states = self._held()
        self._lists.keep_copy()
        for card, state in zip(cards, states, strict=True):
            if state is not _ACTIVE:
                yield card, state

    def replace_all(self, cards: Mapping[str, NetworkState]) -> None:
        """Fill the inactive list, then switch to it between two calls.

        Single changes made meanwhile are included. Takes seconds (100,000 cards about two), which may exceed `seconds`;
        ElementRefused while another list is being loaded.
        """
        for card in cards:
            checked(card)
        self._exchange(lambda filling: self._lists.fill(filling, cards))
        self._lists.keep_copy()

    def count(self) -> int:
        """Return the number of cards on the active list, read from Kamailio itself."""
        held = {str(one["name"]): int(one["all"]) for one in self._rpc.ask("htable.stats")}
        return held[self._live()]

    def list_origin(self) -> ListOrigin:
        """Return what the disk lists were restored from when they were last found damaged.

        Polled every few seconds, so it also limits the size of Kamailio's log where that lies in the folder.
        """
        keep_small(self._log)
        return self._lists.origin

    def confirm_list(self) -> None:
        """Record that the lists agree with the orders."""
        with self._lists.locked():
            self._lists.confirm()

    def close(self) -> None:
        """Close sockets and files."""
        self._rpc.close()
        self._lists.close()

    def _exchange(self, fill: Callable[[str], None]) -> None:
        with self._lists.exchanging():
            self._agree()
            with self._lists.locked():
                filling = self._lists.begin()
            self._load(filling, fill)
            with self._lists.locked():
                # disk first, so that a Kamailio that starts in between loads every change
                changed = self._lists.changed()
                self._lists.end(filling)
                self._tell(filling, changed)
                self._rpc.ask("htable.sets", "live", "list", filling)
            with contextlib.suppress(NetworkError):  # frees memory only; the next switch of lists does it too
                self._rpc.ask("htable.flush", other(filling), seconds=_LOAD_SECONDS)

    def _load(self, filling: str, fill: Callable[[str], None]) -> None:
        """Fill a list and load it into Kamailio without the lock: it takes seconds."""
        try:
            fill(filling)
            self._rpc.ask("htable.reload", filling, seconds=_LOAD_SECONDS)
        except NetworkError as error:
            with contextlib.suppress(NetworkError), self._lists.locked():
                self._lists.abandon()  # a list too large for Kamailio's memory must not be loaded at its next start
            if isinstance(error, RpcError):
                raise ElementRefused(
                    f"the call proxy did not load the list ({error}): start it with more `entries`"
                ) from error
            raise

    def _agree(self) -> None:
        """Complete an interrupted switch of lists; the disk says which is active."""
        if self._live() == self._lists.live:
            return
        with self._lists.locked():
            self._rpc.ask("htable.reload", self._lists.live, seconds=_LOAD_SECONDS)
            self._rpc.ask("htable.sets", "live", "list", self._lists.live)

    def _held(self) -> tuple[list[str], list[NetworkState]]:
        self._agree()
        cards = self._lists.cards()
        return cards, list(self._states(cards))

    def _differs(self, odd: Sequence[str]) -> bool:
        """Return whether Kamailio lacks a card that is on disk, or has more than the disk.

        `odd`: cards it seemed to lack; they are read again under the lock, as some may just have changed.
        """
        with self._lists.locked():
            missing = [card for card in odd if self._lists.has(card)]
            return _ACTIVE in self._states(missing) or self.count() > self._lists.count()

    def _tell(
        self, table: str, states: Mapping[str, NetworkState | None], until: float | None = None
    ) -> None:
        """Write cards into Kamailio's table; state None removes the card."""
        asked = [
            ("htable.sets", (table, card, state.value)) if state else ("htable.delete", (table, card))
            for card, state in states.items()
        ]
        for (method, _), answer in zip(asked, self._rpc.ask_all(asked, until=until), strict=True):
            if isinstance(answer, RpcError) and (method == "htable.sets" or answer.code not in _NO_SUCH_KEY):
                raise answer

    def _live(self) -> str:
        return str(self._rpc.ask("htable.get", "live", "list")["item"]["value"])

    def _states(self, cards: Sequence[str]) -> Iterator[NetworkState]:
        live = self._live()
        for answer in self._rpc.ask_all(("htable.get", (live, card)) for card in cards):
            if isinstance(answer, RpcError):
                if answer.code not in _NO_SUCH_KEY:
                    raise answer
                yield _ACTIVE
            else:
                yield NetworkState(answer["item"]["value"])
