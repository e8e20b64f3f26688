"""Minimal SIP telephones and SMPP client for the demonstration and tests.

They implement only as much of RFC 3261 as is needed for calls that are answered, refused and ended; they do
not measure a proxy's conformance.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from dataclasses import dataclass, field
from uuid import uuid4

import smpplib.client
import smpplib.consts

from duanka.domain.network import Unreachable
from duanka.network.deadline_socket import Address
from duanka.network.process import OWN_PART_SECONDS

_T1 = 0.5  # seconds until a request is retransmitted; doubles (RFC 3261, 17.1.1.1)
_DATAGRAM_BYTES = 65_535
_FIRST_FINAL_CODE = 200


@dataclass(frozen=True)
class CallAnswer:
    """Final answer to a call. `seconds`: time from the first request."""

    code: int
    reason: str
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class Phone:
    """Telephone that calls through the proxy at `proxy`."""

    def __init__(self, proxy: Address, *, seconds: float = OWN_PART_SECONDS) -> None:
        self._proxy, self._within = proxy, seconds
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._host, self._port = self._socket.getsockname()

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def call(self, card: str, peer: str) -> CallAnswer:
        """Call `peer` from `card`; an answered call is ended at once. Unreachable: no final answer."""
        call_id, branch, began = uuid4().hex, f"z9hG4bK{uuid4().hex}", time.monotonic()
        invite = self._request("INVITE", card, peer, call_id, branch, 1)
        answer, raw = self._ask(invite, call_id, "INVITE", began)
        to = raw.get("to", f"<sip:{peer}@{self._proxy[0]}>")
        if answer.code < 300:
            # the ACK of an answered call is a transaction of its own (RFC 3261, 13.2.2.4)
            self._send(self._request("ACK", card, peer, call_id, f"z9hG4bK{uuid4().hex}", 1, to))
            bye = self._request("BYE", card, peer, call_id, f"z9hG4bK{uuid4().hex}", 2, to)
            self._ask(bye, call_id, "BYE", time.monotonic())
        else:
            self._send(self._request("ACK", card, peer, call_id, branch, 1, to))
        return answer

    def _request(
        self, method: str, card: str, peer: str, call_id: str, branch: str, number: int, to: str | None = None
    ) -> bytes:
        target = f"sip:{peer}@{self._proxy[0]}:{self._proxy[1]}"
        lines = (
            f"{method} {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._host}:{self._port};branch={branch}",
            "Max-Forwards: 70",
            f"From: <sip:{card}@{self._host}>;tag={call_id[:8]}",
            f"To: {to or f'<sip:{peer}@{self._proxy[0]}>'}",
            f"Call-ID: {call_id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:{card}@{self._host}:{self._port}>",
            "Content-Length: 0",
        )
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _ask(
        self, request: bytes, call_id: str, method: str, began: float
    ) -> tuple[CallAnswer, dict[str, str]]:
        wait, again = _T1, began + _T1
        self._send(request)
        while (left := began + self._within - time.monotonic()) > 0:
            self._socket.settimeout(max(0.001, min(left, again - time.monotonic())))
            try:
                code, reason, headers = _read(self._socket.recv(_DATAGRAM_BYTES))
            except TimeoutError:
                if time.monotonic() >= again:
                    self._send(request)
                    wait *= 2
                    again = time.monotonic() + wait
                continue
            except ConnectionError:
                continue
            mine = headers.get("call-id") == call_id and headers.get("cseq", "").endswith(method)
            if mine and code >= _FIRST_FINAL_CODE:
                return CallAnswer(code, reason, headers, time.monotonic() - began), headers
        raise Unreachable(f"no answer from the call proxy at {self._proxy[0]}:{self._proxy[1]}")

    def _send(self, request: bytes) -> None:
        self._socket.sendto(request, self._proxy)


class Switchboard:
    """Answers every call at a free port of loopback."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.address: Address = self._socket.getsockname()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="switchboard", daemon=True)

    def __enter__(self) -> Switchboard:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._ending.is_set():
            try:
                data, source = self._socket.recvfrom(_DATAGRAM_BYTES)
            except (TimeoutError, ConnectionError):
                continue
            if re.match(rb"(INVITE|BYE|OPTIONS|CANCEL) sips?:", data):  # an ACK has no answer
                self._socket.sendto(self._ok(data), source)

    def _ok(self, data: bytes) -> bytes:
        kept = []
        for line in data.decode(errors="replace").split("\r\n\r\n", 1)[0].split("\r\n")[1:]:
            name = line.split(":", 1)[0].strip().lower()
            if name in ("via", "v", "from", "f", "call-id", "i", "cseq", "record-route"):
                kept.append(line)
            elif name in ("to", "t"):
                kept.append(line if "tag=" in line else f"{line};tag=switchboard")
        kept += [f"Contact: <sip:{self.address[0]}:{self.address[1]}>", "Content-Length: 0"]
        return ("SIP/2.0 200 OK\r\n" + "\r\n".join(kept) + "\r\n\r\n").encode()


def send_message(address: Address, sender: str, receiver: str, text: str, *, password: str = "secret") -> int:  # noqa: S107  # loopback
    """Send one short message as an SMPP client; returns the SMPP status."""
    client = smpplib.client.Client(*address, allow_unknown_opt_params=True)
    client.connect()
    try:
        client.bind_transceiver(system_id="phone", password=password)
        client.send_message(
            source_addr_ton=smpplib.consts.SMPP_TON_INTL,
            source_addr=sender,
            dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
            destination_addr=receiver,
            data_coding=smpplib.consts.SMPP_ENCODING_ISO10646,
            short_message=text.encode("utf-16-be"),
        )
        status = int(client.read_pdu().status)
        client.unbind()
        return status
    finally:
        client.disconnect()


def _read(data: bytes) -> tuple[int, str, dict[str, str]]:
    """Parse a SIP response to (code, reason, headers); code 0: not a response."""
    text = data.decode(errors="replace")
    found = re.match(r"SIP/2\.0 (\d{3}) ([^\r\n]*)", text)
    return (int(found[1]), found[2], _headers(text)) if found else (0, "", {})


def _headers(text: str) -> dict[str, str]:
    lines = text.split("\r\n\r\n", 1)[0].split("\r\n")[1:]
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name.strip().lower(): value.strip() for name, value in pairs}
