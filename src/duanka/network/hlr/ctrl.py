"""Client of the Osmocom control interface (CTRL): reads variables.

A frame of the IPA protocol has a length, a stream, an extension and a text.
"""

from __future__ import annotations

import itertools
import socket
import struct
import time
from collections.abc import Collection, Sequence

from duanka.domain.network import ElementRefused, Unreachable
from duanka.network.closed_socket import socket_is_closed

_HEAD = struct.Struct(">HBB")  # length of what follows the stream byte, stream, extension
_CONTROL, _EXTENSION = 0xEE, 0x00

Address = tuple[str, int]


class Ctrl:
    """One CTRL connection, opened on first use and reopened after it broke."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._read = b""  # received, not parsed yet
        self._numbers = itertools.count(1)

    def get(self, variable: str, until: float) -> str:
        """Return the value of `variable`; raise ElementRefused with the peer's message.

        `until`: deadline in `time.monotonic()` seconds; Unreachable after it.
        """
        (said,) = self.get_all([variable], until)
        if isinstance(said, ElementRefused):
            raise said
        return said

    def get_all(self, variables: Sequence[str], until: float) -> list[str | ElementRefused]:
        """Return the values of `variables` in order, from pipelined requests.

        An ElementRefused stands in place of a variable that has no value.
        """
        numbers = {str(next(self._numbers)): variable for variable in variables}
        try:
            if self._socket and socket_is_closed(self._socket):
                self.close()
            connection = self._socket or self._open(until)
            asked = (f"GET {number} {variable}".encode() for number, variable in numbers.items())
            connection.sendall(
                b"".join(_HEAD.pack(len(text) + 1, _CONTROL, _EXTENSION) + text for text in asked)
            )
            replies = self._replies(connection, numbers.keys(), until)
        except (OSError, EOFError) as error:
            self.close()
            host, port = self._address
            raise Unreachable(f"{host}:{port} does not answer: {str(error) or 'silent'}") from error
        return [
            said.removeprefix(variable).lstrip() if kind == "GET_REPLY" else ElementRefused(said)
            for variable, (kind, said) in ((numbers[number], replies[number]) for number in numbers)
        ]

    def close(self) -> None:
        """Close the connection."""
        if self._socket:
            self._socket.close()
        self._socket, self._read = None, b""

    def _open(self, until: float) -> socket.socket:
        within = max(0.01, until - time.monotonic())
        self._socket = connection = socket.create_connection(self._address, timeout=within)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _replies(
        self, connection: socket.socket, numbers: Collection[str], until: float
    ) -> dict[str, tuple[str, str]]:
        """Return request number -> (type, text) of its reply; traps are skipped."""
        replies = dict[str, tuple[str, str]]()
        while len(replies) < len(numbers):
            length, stream, extension = _HEAD.unpack(self._exactly(connection, _HEAD.size, until))
            if length < 1:
                raise EOFError("not the control interface")
            text = self._exactly(connection, length - 1, until).decode(errors="replace")
            kind, _, rest = text.partition(" ")
            answered, _, said = rest.partition(" ")
            if (stream, extension) == (_CONTROL, _EXTENSION) and answered in numbers:
                replies[answered] = kind, said
        return replies

    def _exactly(self, connection: socket.socket, size: int, until: float) -> bytes:
        while len(self._read) < size:
            if (left := until - time.monotonic()) <= 0:
                raise TimeoutError("silent")
            connection.settimeout(left)
            block = connection.recv(1 << 16)
            if not block:
                raise EOFError("closed by the other side")
            self._read += block
        if time.monotonic() > until:
            raise TimeoutError("no answer among what it says")
        got, self._read = self._read[:size], self._read[size:]
        return got
