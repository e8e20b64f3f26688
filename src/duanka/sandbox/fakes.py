"""An element and a message centre that exist in memory only, for those who build on the contract and test with it.

With a journal they are as durable as real ones, and several processes may use the same one at once.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from duanka.domain.network import ElementRefused, NetworkState, Receipt, UnknownCard, Unreachable
from duanka.domain.phone_masking import masked_card
from duanka.network.card_text import CARD

_BLOCK = 1 << 20


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
        self._journal = _Journal(journal)

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
        self._catch_up()
        return self._states.get(card, NetworkState.ACTIVE)

    def shows(self, state: NetworkState) -> NetworkState:
        """It can do all of them."""
        return state

    def restricted(self) -> Iterator[tuple[str, NetworkState]]:
        """Every card that is not active."""
        self._reached()
        self._catch_up()
        yield from [(card, state) for card, state in self._states.items() if state is not NetworkState.ACTIVE]

    def replace_all(self, cards: Mapping[str, NetworkState]) -> None:
        """These and no other; all of them, or on a fault none."""
        self._reached(*cards)
        with self._journal.alone():
            self._catch_up()
            gone = dict.fromkeys(self._states.keys() - cards.keys(), NetworkState.ACTIVE)
            wanted = {**gone, **cards}
            self._write(
                {c: s for c, s in wanted.items() if self._states.get(c, NetworkState.ACTIVE) is not s}
            )
        self._answer()

    def close(self) -> None:
        """Close the journal; the next call opens it again."""
        self._journal.close()

    def _reached(self, *cards: str) -> None:
        for card in cards:
            if not CARD.fullmatch(card) or card in self.faults.unknown:
                raise UnknownCard(f"{self.name} has no card {masked_card(card)}")
        if self.faults.delay:
            time.sleep(self.faults.delay)
        if self.faults.down:
            raise Unreachable(f"{self.name} is down")
        if refused := next((card for card in cards if card in self.faults.refusing), None):
            raise ElementRefused(f"{self.name} will not touch {masked_card(refused)}")

    def _answer(self) -> None:
        if self.faults.deaf:
            raise Unreachable(f"{self.name} fell silent")

    def _put(self, card: str, state: NetworkState) -> None:
        self._reached(card)
        with self._journal.alone():
            self._catch_up()
            self._write({card: state})
        self._answer()

    def _write(self, states: Mapping[str, NetworkState]) -> None:
        now = time.time()
        self._journal.write(
            {
                "at": now,
                "card": card,
                "state": state.value,
                "changed": self._states.get(card, NetworkState.ACTIVE) is not state,
            }
            for card, state in states.items()
        )
        self._states.update(states)

    def _catch_up(self) -> None:
        """Read what others did meanwhile."""
        self._states.update((line["card"], NetworkState(line["state"])) for line in self._journal.news())


@dataclass(frozen=True)
class Sent:
    """A notice that was handed in."""

    message_id: str
    card: str
    text: str


class FakeSender:
    """A NoticeSender. `auto`: each notice is delivered at the next look; else by `deliver` and `fail` alone.

    `now`: the time of receipts, aware UTC; may be changed. With a `journal`, a line of JSON for each notice: message
    id, card, text; what a killed process handed in is read again, receipts are not kept.
    """

    def __init__(
        self,
        name: str = "fake_centre",
        journal: Path | None = None,
        *,
        auto: bool = True,
        now: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    ) -> None:
        self.name, self.auto, self.now = name, auto, now
        self.down = False
        self.refusing: set[str] = set()
        self._sent: list[Sent] = []
        self._without_receipt: dict[str, list[str]] = {}  # card -> message ids
        self._receipts: list[Receipt] = []
        self._journal = _Journal(journal)

    @property
    def sent(self) -> list[Sent]:
        """All notices, oldest first."""
        self._catch_up()
        return list(self._sent)

    def send(self, card: str, text: str) -> str:
        """Take a notice; Unreachable while `down`, Refused for cards in `refusing`."""
        if self.down:
            raise Unreachable(f"{self.name} is down")
        if card in self.refusing:
            raise ElementRefused(f"{self.name} takes nothing for {masked_card(card)}")
        with self._journal.alone():
            self._catch_up()
            notice = Sent(f"m{len(self._sent) + 1}", card, text)
            self._journal.write([{"id": notice.message_id, "card": card, "text": text}])
            self._took(notice)
        if self.auto:
            self.deliver(card)
        return notice.message_id

    def deliver(self, card: str) -> None:
        """Let a receipt come for every notice to `card` that has none: it reached the handset."""
        self._receipt(card, True, "")

    def fail(self, card: str, detail: str = "EXPIRED") -> None:
        """Let a receipt come for every notice to `card` that has none: it did not."""
        self._receipt(card, False, detail)

    def receipts(self) -> Iterable[Receipt]:
        """Those that came since the last look."""
        came, self._receipts = self._receipts, []
        return came

    def close(self) -> None:
        """Close the journal; the next call opens it again."""
        self._journal.close()

    def _receipt(self, card: str, delivered: bool, detail: str) -> None:
        self._catch_up()
        for number in self._without_receipt.pop(card, []):
            self._receipts.append(Receipt(number, delivered, self.now, detail))

    def _took(self, notice: Sent) -> None:
        self._sent.append(notice)
        self._without_receipt.setdefault(notice.card, []).append(notice.message_id)

    def _catch_up(self) -> None:
        for line in self._journal.news():
            self._took(Sent(line["id"], line["card"], line["text"]))


def read_journal(journal: Path) -> list[dict[str, Any]]:
    """The acts in a journal, oldest first."""
    if not journal.exists():
        return []
    return [json.loads(line) for line in journal.read_bytes().splitlines()]


class _Journal:
    """Lines of JSON that outlive a process and that several may write. Without a path there is nothing to keep."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: int | None = None
        self._read = 0  # bytes of whole lines that are known here

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While nobody else writes: a killed process lets go of the lock."""
        if (file := self._opened()) is None:
            yield
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    def news(self) -> list[dict[str, Any]]:
        """The lines that others wrote since the last look."""
        if (file := self._opened()) is None:
            return []
        new = b""
        while block := os.pread(file, _BLOCK, self._read + len(new)):
            new += block
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def write(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Add lines; only while `alone` and after the news."""
        written = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
        if (file := self._opened()) is not None and written:
            if os.fstat(file).st_size > self._read:
                os.ftruncate(file, self._read)  # half a line of a process that was killed in the middle of it
            self._read += os.write(file, written)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def _opened(self) -> int | None:
        if self._file is None and self._path:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        return self._file
