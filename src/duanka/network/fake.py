"""An element and a message centre that exist in memory only, for those who build on the contract and test with it."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from duanka.domain.network import NetworkState, Receipt, Refused, UnknownCard, Unreachable

_CARD = re.compile(r"[0-9]{1,15}")


@dataclass
class Faults:
    """What goes wrong; may be changed at any time. `deaf`: acts, and the answer is lost. `delay`: seconds per call."""

    down: bool = False
    deaf: bool = False
    delay: float = 0.0
    unknown: set[str] = field(default_factory=set)
    refusing: set[str] = field(default_factory=set)


class FakeElement:
    """An Element. With a `journal` it is as durable as a real one: what a killed process left is read again.

    The journal has a line of JSON for each act: time, card, state, and whether it changed anything.
    """

    def __init__(self, name: str = "fake", journal: Path | None = None, faults: Faults | None = None) -> None:
        self.name = name
        self.faults = faults or Faults()
        self._states: dict[str, NetworkState] = {}
        self._journal: int | None = None
        if journal:
            self._states = {line["card"]: NetworkState(line["state"]) for line in read_journal(journal)}
            self._journal = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def bar_outgoing(self, card: str) -> None:
        """Bar it."""
        self._put(card, NetworkState.OUTGOING_BARRED)

    def suspend(self, card: str) -> None:
        """Suspend it."""
        self._put(card, NetworkState.SUSPENDED)

    def restore(self, card: str) -> None:
        """Restore it."""
        self._put(card, NetworkState.ACTIVE)

    def state_of(self, card: str) -> NetworkState:
        """What was last asked for."""
        self._reached(card)
        return self._states.get(card, NetworkState.ACTIVE)

    def shows(self, state: NetworkState) -> NetworkState:
        """It can do all of them."""
        return state

    def restricted(self) -> Iterator[tuple[str, NetworkState]]:
        """Every card that is not active."""
        self._reached("0")
        yield from [(card, state) for card, state in self._states.items() if state is not NetworkState.ACTIVE]

    def replace_all(self, cards: Mapping[str, NetworkState]) -> None:
        """These and no other."""
        for card in cards:
            self._reached(card)
        for card in [card for card in self._states if card not in cards]:
            self._put(card, NetworkState.ACTIVE)
        for card, state in cards.items():
            self._put(card, state)

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            os.close(self._journal)
        self._journal = None

    def _reached(self, card: str) -> None:
        if not _CARD.fullmatch(card) or card in self.faults.unknown:
            raise UnknownCard(f"{self.name} has no card {card!r}")
        if self.faults.delay:
            time.sleep(self.faults.delay)
        if self.faults.down:
            raise Unreachable(f"{self.name} is down")
        if card in self.faults.refusing:
            raise Refused(f"{self.name} will not touch {card}")

    def _put(self, card: str, state: NetworkState) -> None:
        self._reached(card)
        changed = self._states.get(card, NetworkState.ACTIVE) is not state
        if self._journal is not None:
            line = {"at": time.time(), "card": card, "state": state.value, "changed": changed}
            os.write(self._journal, json.dumps(line).encode() + b"\n")  # one write: whole, or not there
        self._states[card] = state
        if self.faults.deaf:
            raise Unreachable(f"{self.name} fell silent")


def read_journal(journal: Path) -> list[dict[str, str]]:
    """The acts in a journal, oldest first."""
    if not journal.exists():
        return []
    return [json.loads(line) for line in journal.read_bytes().splitlines()]


@dataclass
class FakeSender:
    """A NoticeSender. `deliver`: whether receipts come by themselves, at the next look."""

    name: str = "fake_centre"
    deliver: bool = True
    down: bool = False
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    sent: list[tuple[str, str, str]] = field(default_factory=list)  # message id, card, text
    _receipts: list[Receipt] = field(default_factory=list)

    def send(self, card: str, text: str) -> str:
        """Take a notice."""
        if self.down:
            raise Unreachable(f"{self.name} is down")
        number = f"m{len(self.sent) + 1}"
        self.sent.append((number, card, text))
        if self.deliver:
            self.receipt(number)
        return number

    def receipt(self, message_id: str, *, delivered: bool = True, detail: str = "") -> None:
        """Let a receipt come."""
        self._receipts.append(Receipt(message_id, delivered, self.now, detail))

    def receipts(self) -> Iterable[Receipt]:
        """Those that came."""
        came, self._receipts = self._receipts, []
        return came

    def close(self) -> None:
        """Nothing to give back."""
