"""NATS client that takes any message a server may hold: the client's own reader ends at a subject that is no UTF-8."""

from __future__ import annotations

import re
from typing import Any

from nats.aio.client import PING_PROTO, Client
from nats.errors import Error
from nats.protocol import parser

from duanka.domain.display import display_name

# The protocol separates by blanks and tabs alone; the client's patterns also do by form feeds and vertical tabs,
# which a subject may hold, and give the connection up when they do not match.
_NAME = rb"[^ \t\r\n]+"
parser.MSG_RE = re.compile(rb"\AMSG[ \t]+(%b)[ \t]+(\d+)[ \t]+((%b)[ \t]+)?(\d+)\r\n" % (_NAME, _NAME))
parser.HMSG_RE = re.compile(
    rb"\AHMSG[ \t]+(%b)[ \t]+(\d+)[ \t]+((%b)[ \t]+)?(\d+)[ \t]+(\d+)\r\n" % (_NAME, _NAME)
)


class TolerantClient(Client):
    """Subjects arrive as `display_name` shows them; headers that cannot be read are no headers."""

    @property
    def is_reading(self) -> bool:
        """Whether what the server sends is read. False after an error that the client does not recover from."""
        task = self._reading_task
        return not self.is_connected or (task is not None and not task.done())

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Any:
        shown = display_name(subject.decode("utf-8", "surrogateescape"))
        return super()._build_message(sid, shown.encode(), _text(reply).encode(), data, headers)

    async def _process_connect_init(self) -> None:
        """Sign in. Raises Error, OSError where the server does not let us."""
        transport: Any = self._transport
        held = list[bytes]()
        write = transport.write

        def together(data: bytes) -> None:
            """Our name and the question behind it in one piece: a server that refuses us leaves nothing unread."""
            held.append(data)
            if data == PING_PROTO:
                write(b"".join(held))

        transport.write = together  # else its refusal is lost where the question comes after it hung up
        try:
            await super()._process_connect_init()
        finally:
            transport.write = write
        if (
            not self.is_connected
        ):  # it hung up where its answer was due, which the client takes for a connection
            raise Error("the server hung up")

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        try:
            found: dict[str, str] | None = await super()._process_headers(headers)
        except Exception:  # whatever a publisher wrote there, the records are in the body
            return None
        return found


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "backslashreplace")
