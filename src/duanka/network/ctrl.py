"""The control interface of Osmocom programs: read a variable. Frames are IPA: length, stream, kind, text."""

from __future__ import annotations

import itertools
import socket
import struct
import time

from duanka.domain.network import Refused, Unreachable
from duanka.network.hung_up import hung_up

_HEAD = struct.Struct(">HBB")  # length of what follows the stream byte, stream, extension
_CONTROL, _EXTENSION = 0xEE, 0x00

Address = tuple[str, int]


class Ctrl:
    """One connection, opened at the first question and again after it broke."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._numbers = itertools.count(1)

    def get(self, variable: str, until: float) -> str:
        """The value of `variable`; Refused with the words of the other side where it has none.

        `until`: when the answer must be there, in `time.monotonic()`; Unreachable after that.
        """
        number = str(next(self._numbers))
        try:
            if self._socket and hung_up(self._socket):
                self.close()
            connection = self._socket or self._open(until)
            text = f"GET {number} {variable}".encode()
            connection.sendall(_HEAD.pack(len(text) + 1, _CONTROL, _EXTENSION) + text)
            kind, said = self._reply(connection, number, until)
        except (OSError, EOFError) as error:
            self.close()
            host, port = self._address
            raise Unreachable(f"{host}:{port} does not answer: {str(error) or 'silent'}") from error
        if kind != "GET_REPLY":
            raise Refused(said)
        return said.removeprefix(variable).lstrip()

    def close(self) -> None:
        """End the connection."""
        if self._socket:
            self._socket.close()
        self._socket = None

    def _open(self, until: float) -> socket.socket:
        within = max(0.01, until - time.monotonic())
        self._socket = connection = socket.create_connection(self._address, timeout=within)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _reply(self, connection: socket.socket, number: str, until: float) -> tuple[str, str]:
        """Kind and text of the reply to `number`; traps, which come unasked, are passed over."""
        while True:
            length, stream, extension = _HEAD.unpack(self._exactly(connection, _HEAD.size, until))
            if length < 1:
                raise EOFError("not the control interface")
            text = self._exactly(connection, length - 1, until).decode(errors="replace")
            kind, _, rest = text.partition(" ")
            answered, _, said = rest.partition(" ")
            if (stream, extension) == (_CONTROL, _EXTENSION) and answered == number:
                return kind, said

    def _exactly(self, connection: socket.socket, size: int, until: float) -> bytes:
        got = b""
        while len(got) < size:
            if (left := until - time.monotonic()) <= 0:
                raise TimeoutError("silent")
            connection.settimeout(left)
            block = connection.recv(size - len(got))
            if not block:
                raise EOFError("closed by the other side")
            got += block
        return got
