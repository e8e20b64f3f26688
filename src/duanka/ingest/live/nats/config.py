"""Settings and state of reading a bus: address, subscription, progress, batches."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from duanka.domain.errors import DuankaError
from duanka.ingest.live.batch_builder import BatchBuilder
from duanka.ingest.live.nats.messages import Messages
from duanka.ingest.live.prefetch import HandOn, Pulse


@dataclass(frozen=True)
class BusAddress:
    """Address and credentials of the NATS servers.

    `url`: one or several, separated by commas; secrets in it are never shown. `credentials`: credentials file of a NATS
    user.
    """

    url: str
    credentials: Path | None = None

    @property
    def servers(self) -> list[str]:
        """Every URL."""
        return [url.strip() for url in self.url.split(",") if url.strip()]

    def __str__(self) -> str:
        """The URLs without user, password or token."""
        parts = (urlsplit(url if "//" in url else f"nats://{url}") for url in self.servers)
        return ",".join(f"{part.scheme}://{part.netloc.rpartition('@')[2]}" for part in parts)

    def check(self) -> None:
        """Raise DuankaError when the credentials file is missing."""
        if self.credentials is not None and not self.credentials.is_file():
            raise DuankaError(f"{self.credentials}: no such file; it is needed to enter {self}")


@dataclass(frozen=True)
class Subscription:
    """Messages to read: those of `stream` whose subject matches `subject`.

    `held`: maximum of delivered messages not acknowledged.
    """

    stream: str
    subject: str
    held: int

    @property
    def origin(self) -> str:
        """Key of the stream's positions."""
        return f"nats:{self.stream}"


class ConsumerProgress:
    """Progress as sequence numbers: read, handed on, committed.

    Each is written by one thread and read by any.
    """

    def __init__(self, done: int, stop: threading.Event, wait: bool) -> None:
        self.read = self.handed_on = self.committed = done
        self.lag = 0
        self.at_start: int | None = None  # last message in the stream at the start
        self.pulse = Pulse()  # beats when messages come, and while the server has none
        self.stop = stop
        self.wait = wait

    @property
    def backlog(self) -> int | None:
        """Upper bound of backlog messages not handed on; None while unknown."""
        return None if self.at_start is None else max(self.at_start - self.handed_on, 0)

    def all_read(self) -> None:
        """Record that all is read: the rest of the backlog has other subjects."""
        if self.at_start is not None:
            self.at_start = min(self.at_start, self.read)


@dataclass
class BatchAssembler:
    """Collects messages into batches of `most` records and hands them on."""

    messages: Messages
    most: int
    seconds: float
    hand_on: HandOn

    def __post_init__(self) -> None:
        self._builder = BatchBuilder(self.most, self.seconds)

    def drain(self) -> None:
        """Parse the received messages; hand the batch on if it is due."""
        self.messages.move_to(self._builder)
        if self._builder.due:
            self.flush()

    @property
    def full(self) -> bool:
        """Whether the received messages fill the batch."""
        return self.messages.records >= self._builder.room

    def flush(self) -> None:
        """Hand the batch on, full or not; blocks until there is room."""
        if self._builder:
            self.hand_on(self._builder.batch())
            self._builder = BatchBuilder(self.most, self.seconds)
