"""NATS client that accepts any message a server may hold.

The original client stops reading at a subject that is not UTF-8.
"""

from __future__ import annotations

import re
from typing import Any

from nats.aio.client import PING_PROTO, Client
from nats.errors import Error
from nats.protocol import parser

from duanka.domain.display import display_name

# The protocol separates fields by blanks and tabs only. The client's patterns also split at form feeds and vertical
# tabs, which a subject may contain, and the client then closes the connection.
_NAME = rb"[^ \t\r\n]+"
parser.MSG_RE = re.compile(rb"\AMSG[ \t]+(%b)[ \t]+(\d+)[ \t]+((%b)[ \t]+)?(\d+)\r\n" % (_NAME, _NAME))
parser.HMSG_RE = re.compile(
    rb"\AHMSG[ \t]+(%b)[ \t]+(\d+)[ \t]+((%b)[ \t]+)?(\d+)[ \t]+(\d+)\r\n" % (_NAME, _NAME)
)


class TolerantClient(Client):
    """Client that decodes subjects with `display_name` and ignores invalid headers."""

    @property
    def is_reading(self) -> bool:
        """Whether the reading task runs; False after an error without recovery."""
        task = self._reading_task
        return not self.is_connected or (task is not None and not task.done())

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Any:
        shown = display_name(subject.decode("utf-8", "surrogateescape"))
        return super()._build_message(sid, shown.encode(), _text(reply).encode(), data, headers)

    async def _process_connect_init(self) -> None:
        """Sign in; raises Error or OSError when the server refuses."""
        transport: Any = self._transport
        held = list[bytes]()
        write = transport.write

        def together(data: bytes) -> None:
            """Hold the data back until PING, then send it in one write."""
            held.append(data)
            if data == PING_PROTO:
                write(b"".join(held))

        transport.write = together  # else the refusal is lost when PING follows after the server hung up
        try:
            await super()._process_connect_init()
        finally:
            transport.write = write
        if (
            not self.is_connected
        ):  # the server hung up instead of answering, which the client takes for success
            raise Error("the server hung up")

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        try:
            found: dict[str, str] | None = await super()._process_headers(headers)
        except Exception:  # headers of any publisher; the records are in the body
            return None
        return found


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "backslashreplace")
