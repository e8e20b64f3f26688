"""Sandbox message centre (SMSC): SMPP 3.4 on loopback.

    python -m duanka.sandbox.smsc HOST PORT MOST [JOURNAL]  # benchmarks; MOST: answers/s; keeps no messages

It supports binds with a password, submissions with receipts, queries and enquire_link; an unacknowledged
receipt is delivered again at the next bind.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from duanka.domain.errors import DuankaError
from duanka.network.process import free_port
from duanka.sandbox.smsc_sessions import Behaviour, MessageCentre

_START_SECONDS = 10.0


class OwnShortMessageCentre(MessageCentre):
    """Message centre in a thread; a context manager. `listen`: None for a free loopback port."""

    def __init__(self, behaviour: Behaviour | None = None, listen: tuple[str, int] | None = None) -> None:
        super().__init__(behaviour)
        self.address = listen or ("127.0.0.1", free_port())
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: asyncio.Server | None = None

    def __enter__(self) -> OwnShortMessageCentre:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it listens; a restart reuses the address."""
        started, failed = threading.Event(), list[BaseException]()

        def run() -> None:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                self._loop = loop = runner.get_loop()
                try:
                    self._server = runner.run(self._listen())
                except OSError as error:
                    failed.append(error)
                started.set()
                if not failed:
                    loop.run_forever()
                    if self._server:
                        self._server.close()
                    for session in list(self.sessions):
                        session.close()
                    runner.run(asyncio.sleep(0))

        self._thread = threading.Thread(target=run, name="own-smsc", daemon=True)
        self._thread.start()
        if not started.wait(_START_SECONDS) or failed:
            host, port = self.address
            raise DuankaError(f"our own message centre cannot listen at {host}:{port}: {failed or 'silent'}")

    def stop(self) -> None:
        """Stop it and close all connections; accepted messages and receipts are kept."""
        if self._thread and self._loop and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_START_SECONDS)
        self._thread = None

    def call(self, what: Callable[[], Any]) -> None:
        """Run a function in the centre's event loop."""
        assert self._loop is not None, "it is not started"  # noqa: S101
        self._loop.call_soon_threadsafe(what)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(self.session, *self.address, backlog=256)


async def _serve(host: str, port: int, most: int, journal: Path | None) -> None:
    centre = MessageCentre(Behaviour(remember=0, most=most), journal)
    server = await asyncio.get_running_loop().create_server(centre.session, host, port)
    await server.serve_forever()


def main() -> None:
    """Run until killed."""
    host, port, most, *journal = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(host, int(port), int(most), Path(journal[0]) if journal else None))


if __name__ == "__main__":
    main()
