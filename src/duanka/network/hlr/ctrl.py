"""Client of the Osmocom control interface (CTRL): reads variables.

A frame of the IPA protocol has a length, a stream, an extension and a text.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Collection, Sequence

from duanka.domain.network import ElementRefused
from duanka.network.deadline_socket import Address, DeadlineSocket

_HEAD = struct.Struct(">HBB")  # length of what follows the stream byte, stream, extension
_CONTROL, _EXTENSION = 0xEE, 0x00


class Ctrl:
    """One CTRL connection. `until`: deadline in `time.monotonic()` seconds; Unreachable after it."""

    def __init__(self, address: Address) -> None:
        self._socket = DeadlineSocket(address)
        self.close = self._socket.close
        self._numbers = itertools.count(1)

    def get(self, variable: str, until: float) -> str:
        """Return the value of `variable`; raise ElementRefused with the peer's message."""
        (said,) = self.get_all([variable], until)
        if isinstance(said, ElementRefused):
            raise said
        return said

    def get_all(self, variables: Sequence[str], until: float) -> list[str | ElementRefused]:
        """Return the values in order, from pipelined requests; ElementRefused in place of a missing one."""
        numbers = {str(next(self._numbers)): variable for variable in variables}
        asked = (f"GET {number} {variable}".encode() for number, variable in numbers.items())
        with self._socket.answering():
            self._socket.open(until)
            frames = (_HEAD.pack(len(text) + 1, _CONTROL, _EXTENSION) + text for text in asked)
            self._socket.send(*frames, until=until)
            replies = self._replies(numbers.keys(), until)
        return [
            said.removeprefix(variable).lstrip() if kind == "GET_REPLY" else ElementRefused(said)
            for variable, (kind, said) in ((numbers[number], replies[number]) for number in numbers)
        ]

    def _replies(self, numbers: Collection[str], until: float) -> dict[str, tuple[str, str]]:
        """Return request number -> (type, text) of its reply; traps are skipped."""
        replies = dict[str, tuple[str, str]]()
        while len(replies) < len(numbers):
            frame = self._socket.take(_frame_end, until)
            _, stream, extension = _HEAD.unpack_from(frame)
            kind, _, rest = frame[_HEAD.size :].decode(errors="replace").partition(" ")
            answered, _, said = rest.partition(" ")
            if (stream, extension) == (_CONTROL, _EXTENSION) and answered in numbers:
                replies[answered] = kind, said
        return replies


def _frame_end(received: bytes) -> int:
    """Return where the first frame ends; 0 if it is incomplete."""
    if len(received) < _HEAD.size:
        return 0
    length = _HEAD.unpack_from(received)[0]
    if length < 1:
        raise EOFError("not the control interface")
    end = _HEAD.size + length - 1
    return end if end <= len(received) else 0
