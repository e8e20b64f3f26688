"""Feed of a NATS JetStream stream for live intake."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from duanka.domain.errors import DuankaError
from duanka.domain.streaming import Batch, IntakeBacklog
from duanka.ingest.live.nats.config import BatchAssembler, BusAddress, ConsumerProgress, Subscription
from duanka.ingest.live.nats.messages import Messages
from duanka.ingest.live.prefetch import HandOn, prefetch
from duanka.ingest.model.holders import Holders
from duanka.ingest.model.mapping import NATIVE
from duanka.ingest.normalise.columns import Tools

_MIN_HELD_MESSAGES = 200_000  # minimum for the limit of delivered messages not acknowledged


class Bus:
    """Feed of the messages of a JetStream stream; docs/LIVE.md defines their content.

    The position is the sequence number of a message in the stream. The consumer is created again from it at every
    start: the engine's position is authoritative, and acknowledgements only inform the server.

    Raises DuankaError when nats-py is not installed or a file is missing; `batches` raises it when there is no server,
    no stream, or another stream than the one read before.
    """

    def __init__(
        self,
        url: str,
        stream: str,
        subject: str = "duanka.records.>",
        holder_key: bytes | None = None,
        batch_records: int = 100_000,
        batch_seconds: float = 5.0,
        *,
        wait: bool = True,
        credentials: Path | None = None,
        zone: str = NATIVE.zone,
    ) -> None:
        try:
            importlib.import_module("nats")
        except ImportError:
            raise DuankaError('reading messages needs nats-py: pip install "duanka[live]"') from None
        self._address = BusAddress(url, credentials)
        self._address.check()
        # one batch being processed, two prefetched, one being built, one spare
        self._what = Subscription(stream, subject, max(5 * batch_records, _MIN_HELD_MESSAGES))
        self._tools = replace(Tools.of(NATIVE, Holders(holder_key, needs_key=False)), zone=zone)
        self._most = batch_records
        self._seconds = batch_seconds
        self._wait = wait
        self._stop = threading.Event()
        self._course: ConsumerProgress | None = None

    def batches(self, done: Mapping[str, int]) -> Iterator[Batch]:
        """Yield batches of the messages' records in stream order; see Feed."""
        from duanka.ingest.live.nats.session import BusSession  # noqa: PLC0415  # needs nats-py

        course = ConsumerProgress(done.get(self._what.origin, 0), self._stop, self._wait)
        self._course = course

        def work(hand_on: HandOn) -> None:
            with ThreadPoolExecutor(2) as pool:
                messages = Messages(self._what.origin, self._what.subject, self._tools, pool)
                taking = BatchAssembler(messages, self._most, self._seconds, hand_on)
                asyncio.run(BusSession(self._address, self._what, course, taking).run())

        for batch in prefetch(work, self._stop, self._seconds):
            course.handed_on = max(batch.positions.get(self._what.origin, 0), course.handed_on)
            yield batch

    def settled(self, positions: Mapping[str, int]) -> None:
        """Acknowledge committed messages, asynchronously within about a second."""
        if self._course is not None and self._what.origin in positions:
            self._course.committed = max(positions[self._what.origin], self._course.committed)

    def waiting(self) -> IntakeBacklog:
        """Number of messages not handed on yet, as of the last poll of the server."""
        if self._course is None:
            return IntakeBacklog()
        course = self._course
        return IntakeBacklog(course.lag, stalled=course.pulse.stalled, backlog=course.backlog)

    def stop(self) -> None:
        """End `batches` soon; uncommitted messages are delivered again next time."""
        self._stop.set()
