"""What a bus is read by: where it is, what is read of it, how far that has come, and what is made of it."""

from __future__ import annotations

import ssl
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from duanka.domain.errors import DuankaError
from duanka.ingest.live.batch_builder import BatchBuilder
from duanka.ingest.live.nats.messages import Messages
from duanka.ingest.live.prefetch import HandOn


@dataclass(frozen=True)
class BusAddress:
    """Where the servers are and how to enter. `url`: one, or several with commas; a secret in it is never shown.

    `credentials`: the file of a NATS user. `ca`: who signed the server's certificate, when not one of the system's;
    `certificate`, `key`: ours.
    """

    url: str
    credentials: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def servers(self) -> list[str]:
        """Every URL."""
        return [url.strip() for url in self.url.split(",") if url.strip()]

    def __str__(self) -> str:
        """The servers without user, password or token."""
        parts = (urlsplit(url if "//" in url else f"nats://{url}") for url in self.servers)
        return ",".join(f"{part.scheme}://{part.netloc.rpartition('@')[2]}" for part in parts)

    def check(self) -> None:
        """Raise DuankaError when a file that it names is not there."""
        for path in (self.credentials, self.ca, self.certificate, self.key):
            if path is not None and not path.is_file():
                raise DuankaError(f"{path}: no such file; it is needed to enter {self}")

    def tls(self) -> ssl.SSLContext | None:
        """The TLS context that the files ask for; None: as the URL says."""
        if self.ca is None and self.certificate is None:
            return None
        context = ssl.create_default_context(cafile=self.ca)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True)
class Subscription:
    """What is read: the messages of `stream` whose subject matches; `durable`: under what name the server knows us.

    `create`: make the stream when there is none. `held`: messages that may be out and not acknowledged.
    `acknowledge`: seconds after which the server sends again what is not acknowledged.
    """

    stream: str
    subject: str
    durable: str
    create: bool
    held: int
    acknowledge: float = 300.0

    @property
    def origin(self) -> str:
        """What its positions are kept under."""
        return f"nats:{self.stream}"


class ConsumerProgress:
    """How far it has come, as sequence numbers: read, handed on, committed. Told by one thread each, read by any."""

    def __init__(self, done: int, stop: threading.Event, wait: bool) -> None:
        self.read = self.handed_on = self.committed = done
        self.lag = 0
        self.at_start: int | None = None  # the last message that the stream had then
        self.moved()
        self.stop = stop
        self.wait = wait

    @property
    def backlog(self) -> int | None:
        """At most so many messages that were there at the start were not handed on; None before the server said."""
        return None if self.at_start is None else max(self.at_start - self.handed_on, 0)

    def all_read(self) -> None:
        """The server has nothing more for us now: of what was there at the start the rest is of other subjects."""
        if self.at_start is not None:
            self.at_start = min(self.at_start, self.read)

    def moved(self) -> None:
        """Messages came, or the server says that none waits."""
        self.moved_at = time.monotonic()


class BatchAssembler:
    """Takes messages into batches of `most` records and hands them on."""

    def __init__(self, messages: Messages, origin: str, most: int, seconds: float, hand_on: HandOn) -> None:
        self.messages = messages
        self._most = most
        self._seconds = seconds
        self._hand_on = hand_on
        self._pile = BatchBuilder(most, seconds)

    @property
    def due(self) -> bool:
        """Whether a batch is to be handed on."""
        return bool(self._pile) and self._pile.due

    def settle_up(self) -> None:
        """Read what came, and begin a new batch where one is full."""
        self.messages.pile_up(self._pile)
        if self.due:
            self.flush()

    @property
    def full(self) -> bool:
        """Whether what came fills the batch."""
        return self.messages.records >= self._pile.room

    def flush(self) -> None:
        """Hand the batch on, full or not; waits until there is room."""
        if self._pile:
            self._hand_on(self._pile.batch())
            self._pile = BatchBuilder(self._most, self._seconds)
