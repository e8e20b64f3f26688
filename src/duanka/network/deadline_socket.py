"""Client socket of an element: connects, sends and reads under one deadline."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from duanka.domain.network import Unreachable

_BLOCK_BYTES = 1 << 16  # holds any datagram
Address = tuple[str, int]  # host and port


class DeadlineSocket:
    """Socket to `address`, opened on first use and reopened after it broke.

    `address`: host and port, or the path of a Unix socket. `peer`: name of the other side in errors. `kind`:
    SOCK_DGRAM sends each piece as a datagram. Deadlines are in `time.monotonic()` seconds. Methods raise
    OSError and EOFError; within `answering` these become Unreachable.
    """

    def __init__(
        self, address: Address | Path, peer: str = "", kind: socket.SocketKind = socket.SOCK_STREAM
    ) -> None:
        self._address, self._kind = address, kind
        self._peer = (
            peer or "{}:{}".format(*address) if isinstance(address, tuple) else f"{peer} at {address}"
        )
        self._socket: socket.socket | None = None
        self._read = b""  # received, not taken yet

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn failures of the body into Unreachable; close: a late answer must not count as the next one."""
        try:
            yield
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise Unreachable(f"{self._peer} does not answer: {str(error) or 'silent'}") from error

    def open(self, until: float) -> bool:
        """Connect unless connected; return whether it did.

        A connection that the peer closed while it was idle, as in a restart, is opened anew.
        """
        if self._socket and not _is_closed(self._socket):
            return False
        self.close()
        if isinstance(self._address, tuple):
            self._socket = socket.create_connection(self._address, timeout=seconds_left(until))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return True
        self._socket = socket.socket(socket.AF_UNIX, self._kind)
        if self._kind == socket.SOCK_DGRAM:
            self._socket.bind("")  # abstract address that answers are sent to; leaves no file
            return True
        self._socket.settimeout(seconds_left(until))
        with reachable(self._address) as path:
            self._socket.connect(path)
        return True

    def send(self, *pieces: bytes, until: float) -> None:
        """Send all pieces; `open` comes first."""
        assert self._socket is not None  # noqa: S101
        self._socket.settimeout(seconds_left(until))
        if self._kind == socket.SOCK_STREAM:
            self._socket.sendall(b"".join(pieces))
            return
        assert isinstance(self._address, Path)  # noqa: S101
        with reachable(self._address) as path:
            for piece in pieces:
                self._socket.settimeout(seconds_left(until))
                self._socket.sendto(piece, path)

    def receive(self, until: float) -> bytes:
        """Return the next block or datagram; EOFError where the peer closed a connection."""
        assert self._socket is not None  # noqa: S101
        self._socket.settimeout(seconds_left(until))
        block = self._socket.recv(_BLOCK_BYTES)
        if not block and self._kind == socket.SOCK_STREAM:
            raise EOFError("closed by the other side")
        return block

    def take(self, end_of: Callable[[bytes], int], until: float) -> bytes:
        """Return the first bytes received, as many as `end_of` says; it says 0 while they are too few."""
        while not (end := end_of(self._read)):
            self._read += self.receive(until)
        seconds_left(until)  # a peer that sends without end gets no more time
        taken, self._read = self._read[:end], self._read[end:]
        return taken

    def close(self) -> None:
        """Close the socket and forget what was received."""
        if self._socket:
            self._socket.close()
        self._socket, self._read = None, b""


def seconds_left(until: float) -> float:
    """Return the seconds until the deadline; TimeoutError after it."""
    if (seconds := until - time.monotonic()) <= 0:
        raise TimeoutError("silent")
    return seconds


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Yield a short address of the Unix socket at `path`: an address is limited to 108 bytes."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _is_closed(connection: socket.socket) -> bool:
    """Return whether the peer closed `connection`; does not block, consumes no data."""
    connection.setblocking(False)  # with a timeout set, recv would block until it expires
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
