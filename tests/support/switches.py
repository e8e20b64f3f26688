"""A switch (MSC and SGSN in one) as the home register sees it: GSUP over IPA, the codec from pyosmocom."""

from __future__ import annotations

import shutil
import socket
import struct
import time
from types import TracebackType
from typing import Any

from osmocom.gsup.message import GsupMessage, MsgType

from support.waiting import HANG

_CCM, _OSMO, _GSUP = 0xFE, 0xEE, 0x05
_PING, _PONG, _ID_GET, _ID_RESP, _ID_ACK = 0, 1, 4, 5, 6
_UNIT, _NAME_TAGS = 8, (0, 1)  # the register drops a peer that does not say its unit
_SECONDS = HANG
_ANSWERS = (MsgType.UPDATE_LOCATION_ERROR, MsgType.UPDATE_LOCATION_RESULT)
_TOLD = (MsgType.INSERT_DATA_REQUEST, MsgType.DELETE_DATA_REQUEST, MsgType.LOCATION_CANCEL_REQUEST)
CS, PS = "cs", "ps"


def missing(*names: str) -> str:
    """What of the network, or of these programs of it, is not installed, and what brings it."""
    packages = {
        "osmo-hlr": "osmo-hlr",
        "kamailio": "kamailio kamailio-sqlite-modules kamailio-json-modules kamailio-extra-modules",
        "sipp": "sip-tester",
    }
    path = "/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin"
    lacking = [packages[name] for name in names or packages if not shutil.which(name, path=path)]
    return f"not installed: make setup-network, or apt-get install {' '.join(lacking)}" if lacking else ""


class Switch:
    """A connection to the register's GSUP port; switches that are there at once need names of their own."""

    def __init__(self, address: tuple[str, int], name: str = "DUANKA-SWITCH") -> None:
        self._address = address
        self._tags = {_UNIT: b"1/0/0\0", **dict.fromkeys(_NAME_TAGS, name.encode() + b"\0")}
        self._removed: set[str] = set()

    def __enter__(self) -> Switch:
        self._socket = socket.create_connection(self._address, timeout=_SECONDS)
        self._until(lambda stream, body: stream == _CCM and body[0] == _ID_ACK)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def attach(self, imsi: str, domain: str = CS) -> int | None:
        """Ask for the subscriber to be admitted; the cause of the refusal, None when it is admitted."""
        self._removed.discard(imsi)
        self._send(_message(MsgType.UPDATE_LOCATION_REQUEST, imsi, domain))
        answers: list[tuple[MsgType, dict[str, Any]]] = []

        def answered(stream: int, body: bytes) -> bool:
            if stream != _OSMO or not body[1:]:
                return False
            kind, facts = _read(body[1:])
            if kind in _ANSWERS and facts["imsi"] == imsi:
                answers.append((kind, facts))
            return bool(answers)

        self._until(answered)
        kind, facts = answers[0]
        return None if kind == MsgType.UPDATE_LOCATION_RESULT else int(facts["cause"])

    def detached(self, imsi: str, within: float = _SECONDS) -> bool:
        """Whether the register took the subscriber out of this switch, within the seconds that it may take."""
        end = time.monotonic() + within
        while imsi not in self._removed and time.monotonic() < end:
            try:
                self._until(lambda stream, body: imsi in self._removed, within=min(within, 0.5))
            except TimeoutError:
                continue
        return imsi in self._removed

    def _until(self, done: Any, within: float = _SECONDS) -> None:
        end = time.monotonic() + within
        while time.monotonic() < end:
            self._socket.settimeout(max(0.001, end - time.monotonic()))
            length, stream = struct.unpack(">HB", self._exactly(3))
            body = self._exactly(length)
            self._answer(stream, body)
            if done(stream, body):
                return
        raise TimeoutError("the register is silent")

    def _answer(self, stream: int, body: bytes) -> None:
        if stream == _CCM and body[0] == _PING:
            self._frame(_CCM, bytes((_PONG,)))
        elif stream == _CCM and body[0] == _ID_GET:
            told = b"".join(struct.pack(">HB", len(name) + 1, tag) + name for tag, name in self._tags.items())
            self._frame(_CCM, bytes((_ID_RESP,)) + told)
            self._frame(_CCM, bytes((_ID_ACK,)))
        elif stream == _OSMO:
            kind, facts = _read(body[1:])
            if kind in _TOLD:
                if kind != MsgType.INSERT_DATA_REQUEST:
                    self._removed.add(facts["imsi"])
                self._send(_message(MsgType(kind + 2), facts["imsi"]))  # the result

    def _send(self, message: bytes) -> None:
        self._frame(_OSMO, bytes((_GSUP,)) + message)

    def _frame(self, stream: int, body: bytes) -> None:
        self._socket.sendall(struct.pack(">HB", len(body), stream) + body)

    def _exactly(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            if not (block := self._socket.recv(size - len(got))):
                raise ConnectionError("the register closed the connection")
            got += block
        return got


def _message(kind: MsgType, imsi: str, domain: str | None = None) -> bytes:
    told = [{"imsi": imsi}] + ([{"cn_domain": domain}] if domain else [])
    encoded: bytes = GsupMessage.from_dict({"msg_type": kind.name, "ies": told}).to_bytes()
    return encoded


def _read(message: bytes) -> tuple[MsgType, dict[str, Any]]:
    decoded = GsupMessage.from_bytes(message)
    facts: dict[str, Any] = {}
    for one in decoded.to_dict()["ies"]:
        facts |= one
    return decoded.msg_type, facts
