"""Client of the Osmocom text terminal (VTY): one command, one answer."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from duanka.domain.network import ElementRefused
from duanka.network.deadline_socket import Address, DeadlineSocket

_PROMPT = re.compile(rb"(?:^|\r\n)[\w.-]+[>#] ?$")
_PASSWORD = re.compile(rb"(?:^|\r?\n)Password: ?$")
_OPTIONS = re.compile(rb"\xff[\xfb-\xfe].")  # telnet option negotiation
_MAX_ANSWER_BYTES = 512 << 20  # bytes of one answer: room for eight million subscribers


class Vty:
    """One VTY connection.

    Raises Unreachable if there is no answer in time (it is then unknown whether the command was carried out), and
    ElementRefused if the terminal asks for a password.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket = DeadlineSocket(address)
        self.close = self._socket.close

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
        with self._socket.answering():
            if self._socket.open(until):
                self._answer(until)  # the greeting
                for preparation in (b"enable\r", b"terminal length 0\r"):  # 0: no paging of long answers
                    self._socket.send(preparation, until=until)
                    self._answer(until)
            self._socket.send(*(command.encode() + b"\r" for command in commands), until=until)
            answers = self._answers(commands, until, silence)
        return [[line for line in lines if line] for lines in answers]

    def _answers(self, commands: Sequence[str], until: float, silence: float) -> list[list[str]]:
        """Return the lines between the echo of each command and the next prompt."""
        text = ""
        while True:
            text += self._answer(until, silence).decode(errors="replace")
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

    def _answer(self, until: float, silence: float = 0.0) -> bytes:
        got = bytearray()
        while not _PROMPT.search(got[-80:]):
            got += _OPTIONS.sub(b"", self._socket.receive(until))
            until = max(until, time.monotonic() + silence) if silence else until
            if _PASSWORD.search(got[-80:]):
                self.close()
                host, port = self._address
                raise ElementRefused(
                    f"the terminal at {host}:{port} asks for a password, and it must have none: take `password` and"
                    " `enable password` out of its configuration, write `no login` under `line vty`, and bind it to"
                    " loopback or a network of its own"
                )
            if len(got) > _MAX_ANSWER_BYTES:
                raise EOFError("an answer without end")
        return bytes(got)
