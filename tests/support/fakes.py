"""In-memory network element and notice sender, for tests of their callers.

With a journal they are as durable as real ones, and several processes may share one.
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
from duanka.network.card_states import CARD

_READ_BYTES = 1 << 20


@dataclass
class Faults:
    """Injected faults; may be changed at any time.

    `deaf`: the action is carried out but its answer is lost. `delay`: seconds per call.
    """

    down: bool = False
    deaf: bool = False
    delay: float = 0.0
    unknown: set[str] = field(default_factory=set)
    refusing: set[str] = field(default_factory=set)


class FakeElement:
    """In-memory Element. With a `journal`, its state survives a killed process.

    The journal has one JSON line for each action: time, card, state, and whether it changed anything.
    """

    def __init__(self, name: str = "fake", journal: Path | None = None, faults: Faults | None = None) -> None:
        self.name = name
        self.faults = faults or Faults()
        self._states: dict[str, NetworkState] = {}
        self._journal = _Journal(journal)

    def bar_outgoing(self, card: str) -> None:
        """Bar outgoing calls of the card."""
        self._put(card, NetworkState.OUTGOING_BARRED)

    def keep_lifeline(self, card: str) -> None:
        """Keep the card's lines alone."""
        self._put(card, NetworkState.LIFELINE)

    def suspend(self, card: str) -> None:
        """Suspend the card."""
        self._put(card, NetworkState.SUSPENDED)

    def restore(self, card: str) -> None:
        """Restore the card."""
        self._put(card, NetworkState.ACTIVE)

    def state_of(self, card: str) -> NetworkState:
        """The state last requested for the card."""
        self._reached(card)
        self._catch_up()
        return self._states.get(card, NetworkState.ACTIVE)

    def shows(self, state: NetworkState) -> NetworkState:
        """Return `state`: this element supports all states."""
        return state

    def restricted(self) -> Iterator[tuple[str, NetworkState]]:
        """Every card that is not active, with its state."""
        self._reached()
        self._catch_up()
        yield from [(card, state) for card, state in self._states.items() if state is not NetworkState.ACTIVE]

    def replace_all(self, cards: Mapping[str, NetworkState]) -> None:
        """Replace the whole list atomically; a fault leaves it unchanged."""
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
        """Close the journal; the next call reopens it."""
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
        """Read what other processes wrote."""
        self._states.update((line["card"], NetworkState(line["state"])) for line in self._journal.news())


@dataclass(frozen=True)
class Sent:
    """A notice that was sent."""

    message_id: str
    card: str
    text: str


class FakeSender:
    """In-memory NoticeSender.

    `auto`: each notice is delivered at the next poll; otherwise only by `deliver` and `fail`. `now`: time of
    receipts, UTC with zone; may be changed. With a `journal`, each notice is one JSON line (message id, card,
    text) and survives a killed process; receipts are not kept.
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
        """Accept a notice.

        Unreachable: while `down`. ElementRefused: `card` is in `refusing`.
        """
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
        """Create a delivery receipt for every notice to `card` without one."""
        self._receipt(card, True, "")

    def fail(self, card: str, detail: str = "EXPIRED") -> None:
        """Create a failure receipt for every notice to `card` without one."""
        self._receipt(card, False, detail)

    def receipts(self) -> Iterable[Receipt]:
        """The receipts since the last poll."""
        came, self._receipts = self._receipts, []
        return came

    def close(self) -> None:
        """Close the journal; the next call reopens it."""
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
    """The actions in a journal, oldest first."""
    if not journal.exists():
        return []
    return [json.loads(line) for line in journal.read_bytes().splitlines()]


class _Journal:
    """Append-only file of JSON lines, shared by processes; without a path, a no-op."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: int | None = None
        self._read = 0  # bytes of complete lines already read

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the exclusive file lock; it is released if the process is killed."""
        if (file := self._opened()) is None:
            yield
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    def news(self) -> list[dict[str, Any]]:
        """The lines written by others since the last read."""
        if (file := self._opened()) is None:
            return []
        new = b""
        while block := os.pread(file, _READ_BYTES, self._read + len(new)):
            new += block
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def write(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Append lines. Requires `alone`, and `news` called before."""
        written = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
        if (file := self._opened()) is not None and written:
            if os.fstat(file).st_size > self._read:
                os.ftruncate(file, self._read)  # a line cut short by a killed process
            self._read += os.write(file, written)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def _opened(self) -> int | None:
        if self._file is None and self._path:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        return self._file
