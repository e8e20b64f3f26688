"""Live intake from a stream of messages: NATS JetStream."""

from __future__ import annotations

import asyncio
import importlib
import ssl
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from duanka.domain.errors import DuankaError
from duanka.domain.live import Batch, Waiting
from duanka.records.ahead import HandOn, ahead
from duanka.records.columns import Tools
from duanka.records.holders import Holders
from duanka.records.mapping import NATIVE
from duanka.records.messages import Messages
from duanka.records.numbers import Numbers
from duanka.records.pieces import Pile

_HELD = 200_000  # messages that may be out and not acknowledged, at least


@dataclass(frozen=True)
class Address:
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


class Bus:
    """A Feed of the messages of a JetStream stream; docs/LIVE.md says what they hold.

    The position is the sequence number of a message in the stream. What the server knows of us is made anew from it at
    every start: the engine's word counts, and acknowledging only tells the server how far we are.

    Raises DuankaError when nats-py is not installed or a file is missing; `batches` raises it when there is no server,
    no stream, or another stream than that which was read before, and MissingKey.
    """

    def __init__(
        self,
        url: str,
        stream: str,
        subject: str = "duanka.records.>",
        durable: str = "duanka",
        holder_key: bytes | None = None,
        region: str = "CN",
        batch_records: int = 100_000,
        batch_seconds: float = 5.0,
        *,
        wait: bool = True,
        create: bool = False,
        max_ack_pending: int | None = None,
        credentials: Path | None = None,
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        try:
            importlib.import_module("nats")
        except ImportError:
            raise DuankaError('reading messages needs nats-py: pip install "duanka[live]"') from None
        self._address = Address(url, credentials, ca, certificate, key)
        self._address.check()
        # One batch in work, two read ahead, one in the making, one to spare.
        held = max_ack_pending or max(5 * batch_records, _HELD)
        self._what = Subscription(stream, subject, durable, create, held)
        numbers = Numbers(region, opaque=NATIVE.opaque, bare=NATIVE.bare)
        self._tools = Tools(NATIVE.zone, numbers, Holders(holder_key))
        self._most = batch_records
        self._seconds = batch_seconds
        self._wait = wait
        self._stop = threading.Event()
        self._course: Course | None = None

    def batches(self, done: Mapping[str, int]) -> Iterator[Batch]:
        """Yield the records of the messages in the order of the stream; see Feed."""
        from duanka.records.bus_reader import Session  # noqa: PLC0415  # needs nats-py

        course = Course(done.get(self._what.origin, 0), self._stop, self._wait)
        self._course = course

        def work(hand_on: HandOn) -> None:
            with ThreadPoolExecutor(2) as pool:
                messages = Messages(self._what.origin, self._what.subject, self._tools, pool)
                taking = Taking(messages, self._what.origin, self._most, self._seconds, hand_on)
                asyncio.run(Session(self._address, self._what, course, taking).run())

        for batch in ahead(work, self._stop, self._seconds):
            course.handed_on = max(batch.positions.get(self._what.origin, 0), course.handed_on)
            yield batch

    def settled(self, positions: Mapping[str, int]) -> None:
        """Acknowledge what is committed; the server is told within a moment."""
        if self._course is not None and self._what.origin in positions:
            self._course.committed = max(positions[self._what.origin], self._course.committed)

    def waiting(self) -> Waiting:
        """Messages that the stream has for us and that were not handed on; as of a moment ago."""
        return Waiting(self._course.lag if self._course is not None else 0)

    def stop(self) -> None:
        """End `batches` soon; what was not committed comes again next time."""
        self._stop.set()


class Course:
    """How far it has come, as sequence numbers: read, handed on, committed. Told by one thread each, read by any."""

    def __init__(self, done: int, stop: threading.Event, wait: bool) -> None:
        self.read = self.handed_on = self.committed = done
        self.lag = 0
        self.stop = stop
        self.wait = wait


class Taking:
    """Takes messages into batches of `most` records and hands them on."""

    def __init__(self, messages: Messages, origin: str, most: int, seconds: float, hand_on: HandOn) -> None:
        self.messages = messages
        self._most = most
        self._seconds = seconds
        self._hand_on = hand_on
        self._pile = Pile(most, seconds)

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
            self._pile = Pile(self._most, self._seconds)
