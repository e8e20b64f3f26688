"""Client of the Osmocom text terminal (VTY): one command, one answer."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Sequence

from duanka.domain.network import ElementRefused, Unreachable
from duanka.network.closed_socket import socket_is_closed

_PROMPT = re.compile(rb"(?:^|\r\n)[\w.-]+[>#] ?$")
_PASSWORD = re.compile(rb"(?:^|\r?\n)Password: ?$")
_OPTIONS = re.compile(rb"\xff[\xfb-\xfe].")  # telnet option negotiation
_MAX_ANSWER_BYTES = 512 << 20  # bytes of one answer: room for eight million subscribers

Address = tuple[str, int]


class _NotLetInError(Exception):
    """The peer answers, but asks for a password."""


class Vty:
    """One VTY connection, opened on first use and reopened after it broke.

    Raises Unreachable if there is no answer in time (it is then unknown whether the command was carried out), and
    ElementRefused if the terminal asks for a password.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: socket.socket | None = None

    def ask(self, command: str, until: float, *, silence: float = 0.0) -> list[str]:
        """Run `command`; return the lines of its answer without echo and prompt.

        `until`: deadline in `time.monotonic()` seconds. `silence`: after each received block the deadline is at least
        this many seconds away, so that an answer of any length can be read; 0: the deadline is fixed.
        """
        (lines,) = self.ask_all([command], until, silence=silence)
        return lines

    def ask_all(self, commands: Sequence[str], until: float, *, silence: float = 0.0) -> list[list[str]]:
        """Like `ask` for many pipelined commands; answers in the order of commands."""
        for command in commands:
            if "\r" in command or "\n" in command:
                raise ElementRefused(f"a command is one line: {command!r}")
        try:
            if self._socket and socket_is_closed(self._socket):
                self.close()
            connection = self._socket or self._open(until)
            connection.sendall(b"".join(command.encode() + b"\r" for command in commands))
            answers = self._answers(connection, commands, until, silence)
        except _NotLetInError:
            self.close()
            host, port = self._address
            raise ElementRefused(
                f"the terminal at {host}:{port} asks for a password, and it must have none: take `password` and"
                " `enable password` out of its configuration, write `no login` under `line vty`, and bind it to"
                " loopback or a network of its own"
            ) from None
        except (OSError, EOFError) as error:
            self.close()
            host, port = self._address
            raise Unreachable(f"{host}:{port} does not answer: {str(error) or 'silent'}") from error
        return [[line for line in lines if line] for lines in answers]

    def close(self) -> None:
        """Close the connection."""
        if self._socket:
            self._socket.close()
        self._socket = None

    def _open(self, until: float) -> socket.socket:
        self._socket = connection = socket.create_connection(
            self._address, timeout=max(0.01, until - time.monotonic())
        )
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answer(connection, until)  # the greeting
        for command in (b"enable\r", b"terminal length 0\r"):  # 0: no paging of long answers
            connection.sendall(command)
            self._answer(connection, until)
        return connection

    def _answers(
        self, connection: socket.socket, commands: Sequence[str], until: float, silence: float
    ) -> list[list[str]]:
        """Return the lines between the echo of each command and the next prompt."""
        text = ""
        while True:
            text += self._answer(connection, until, silence).decode(errors="replace")
            lines = text.split("\r\n")
            if len(commands) == 1:
                return [lines[1:-1]]
            answers: list[list[str]] = []
            for line in lines[:-1]:
                if len(answers) < len(commands) and line.endswith(commands[len(answers)]):
                    answers.append([])
                elif answers:
                    answers[-1].append(line)
            if len(answers) == len(commands):
                return answers

    def _answer(self, connection: socket.socket, until: float, silence: float = 0.0) -> bytes:
        got = bytearray()
        while not _PROMPT.search(got[-80:]):
            connection.settimeout(max(0.001, until - time.monotonic()))
            if time.monotonic() >= until:
                raise TimeoutError("silent")
            block = connection.recv(1 << 16)
            if not block:
                raise EOFError("closed by the other side")
            got += _OPTIONS.sub(b"", block)
            until = max(until, time.monotonic() + silence) if silence else until
            if _PASSWORD.search(got[-80:]):
                raise _NotLetInError
            if len(got) > _MAX_ANSWER_BYTES:
                raise EOFError("an answer without end")
        return bytes(got)
