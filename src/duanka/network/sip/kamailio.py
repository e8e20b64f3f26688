"""Kamailio as call proxy: writes its configuration, starts and stops it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import sys
import time
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined

from duanka import __version__
from duanka.domain.errors import DuankaError
from duanka.domain.lifeline import GOVERNMENT_ALONE, OpenLines
from duanka.domain.network import Carried, ElementRefused, NetworkError, NetworkState
from duanka.domain.phone_number import ProtectedNumbers
from duanka.domain.private_files import write_private
from duanka.network.deadline_socket import Address
from duanka.network.process import OWN_PART_SECONDS, OwnPart, OwnProcess, free_port, program
from duanka.network.refusal_store import RefusedFile
from duanka.network.sip.element import CONTROL, LOG, REFUSED, CallProxy
from duanka.network.sip.json_rpc import JsonRpc
from duanka.network.sip.lists import LISTS, CallLists, make
from duanka.network.sip.number_patterns import number_patterns

_CONFIG, _VIA_SECRET = "kamailio.cfg", "via.secret"
_CALL_SECONDS = 4 * 3600  # seconds for which an answered call is remembered
_REFUSALS_PER_WRITE = 1000  # refusals per write; a kill loses at most these and those of one interval


class OwnCallProxy(OwnPart):
    """Kamailio in `folder`, forwarding accepted calls to `next_hop`; context manager.

    `listen`: None for a free loopback port. `redress`: URL where a refused caller learns why and can object (RFC 8688).
    `emergency`: numbers that always pass, beside the built-in ones. `lines`: open to barred cards and those in
    lifeline. `entries`: number of cards the lists are sized for.
    `megabytes`: shared memory; None for what two full lists and the waiting refusals need. `write_every`: seconds
    between two writes of refusals. `waiting`: refusals buffered while the disk accepts none; beyond that the oldest
    are lost. DuankaError if Kamailio is missing.
    """

    def __init__(
        self,
        folder: Path,
        next_hop: Address,
        *,
        redress: str = "https://redress.operator.example/jcard",
        emergency: Sequence[str] = (),
        lines: OpenLines = GOVERNMENT_ALONE,
        listen: Address | None = None,
        workers: int = 2,
        entries: int = 200_000,
        megabytes: int | None = None,
        write_every: float = 0.1,
        waiting: int = 100_000,
    ) -> None:
        self._program = program("kamailio", "kamailio kamailio-sqlite-modules")
        self._entries = entries
        # A card takes about 210 bytes, twice that during a switch of lists; a waiting refusal about 400; a million
        # answered calls 160 to 240 MB.
        self._megabytes = megabytes or 320 + entries // 2200 + waiting // 2000
        self.folder = folder.resolve()
        make(self.folder)
        RefusedFile(self.folder / REFUSED, "call_proxy", Carried.CALL).make()
        self.address = listen or ("127.0.0.1", free_port(socket.SOCK_DGRAM))
        self._write_config(
            host=self.address[0],
            port=self.address[1],
            workers=workers,
            size=max(8, min(20, entries.bit_length() - 2)),  # about four entries per hash slot
            queue=waiting,
            every=int(write_every * 1_000_000),
            redress=_in_header(redress),
            next_hop=f"{next_hop[0]}:{next_hop[1]}",
            **number_patterns(ProtectedNumbers(emergency), lines),
        )

    def _write_config(self, **values: object) -> None:
        """Write the configuration, readable by its owner only: it holds a secret."""
        plain = Environment(
            loader=FunctionLoader(_template),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701  # no HTML
            keep_trailing_newline=True,
        )
        written = plain.get_template(f"{_CONFIG}.j2").render(
            version=__version__,
            lists=self.folder / LISTS,
            refused=self.folder / REFUSED,
            socket=f"/proc/self/cwd/{CONTROL}",  # a short path, however long the folder's own path is
            at_once=_REFUSALS_PER_WRITE,
            secret=_secret(self.folder),
            call_seconds=_CALL_SECONDS,
            suspended=NetworkState.SUSPENDED.value,
            barred=NetworkState.OUTGOING_BARRED.value,
            lifeline=NetworkState.LIFELINE.value,
            **values,
        )
        write_private(self.folder / _CONFIG, written.encode(errors="surrogateescape"))

    def start(self) -> None:
        """Start or restart Kamailio, and wait until it has loaded its lists and answers."""
        self.stop()
        self._end_left_over()
        (self.folder / CONTROL).unlink(missing_ok=True)
        make(self.folder)  # repairs lists that were damaged since this object was made
        # db_sqlite does not wait for locks, and closing the last connection locks the file: keep one open
        with contextlib.closing(CallLists(self.folder, seconds=OWN_PART_SECONDS)) as lists:
            with contextlib.suppress(ElementRefused), lists.exchanging():
                lists.abandon()  # a half-filled list that a crash left
            self._process = OwnProcess(self.command(), self.folder / LOG, self.folder)
            self._process.until(self._ready)

    def command(self) -> list[str]:
        """Return the command line, which repairs damaged lists and then execs Kamailio."""
        here = str(self.folder)
        # a process holds all rows of a list while loading it; memory that is reserved but unused costs nothing
        memory = ["-m", str(self._megabytes), "-M", str(16 + self._entries // 1500)]
        # Kamailio's packages default to a debugging allocator: a call costs a quarter more with it, and a switch of
        # lists takes two to three times as long.
        memory += ["-x", "fm", "-X", "fm"]
        begin = [sys.executable, "-m", "duanka.network.sip.kamailio_start", here]
        return [*begin, self._program, *memory, "-f", _CONFIG, "-DD", "-E", "-w", here, "-Y", here]

    def element(self, seconds: float = OWN_PART_SECONDS) -> CallProxy:
        """Return the element adapter of this proxy."""
        return CallProxy(self.folder, seconds=seconds)

    def _end_left_over(self) -> None:
        """Kill a Kamailio that still serves this folder after its parent was killed."""
        until = time.monotonic() + OWN_PART_SECONDS
        while (left := self._running_processes()) and time.monotonic() < until:
            for process in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.01)

    def _running_processes(self) -> list[int]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it ended, or is not ours
                if (process / "cwd").readlink() == self.folder and "kamailio" in (
                    process / "comm"
                ).read_text():
                    found.append(int(process.name))
        return found

    def _ready(self) -> bool:
        if not (self.folder / CONTROL).exists():
            return False
        asking = JsonRpc(self.folder / CONTROL, seconds=0.5)
        with contextlib.closing(asking), contextlib.suppress(NetworkError):
            return bool(asking.ask("htable.get", "live", "list"))
        return False


def _template(name: str) -> str:
    return resources.files("duanka.network.sip").joinpath(name).read_text(encoding="utf-8")


def _secret(folder: Path) -> str:
    """Return the stored secret of our Via headers: replies must pass after a restart."""
    path = folder / _VIA_SECRET
    if not path.exists():
        with open(path, "w", opener=lambda name, flags: os.open(name, flags | os.O_EXCL, 0o600)) as file:
            file.write(secrets.token_hex(16))
    return path.read_text()


def _in_header(url: str) -> str:
    """Escape a URL for a quoted string of Kamailio, where $ begins a variable."""
    if not re.fullmatch(r"[!#-;=?-\[\]_a-z~]+", url):
        raise DuankaError(f"{url!r} is no URL for a way of redress: write it percent-encoded, https://...")
    return url.replace("$", "$$")
