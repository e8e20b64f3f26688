"""Message proxy process: SMPP 3.4 between clients and the SMSC.

See docs/NETWORK.md.

python -m duanka.network.sms.proxy.process FOLDER    # with the settings in FOLDER/settings.json
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import resource
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvloop

from duanka.domain.errors import DuankaError
from duanka.domain.lifeline import GOVERNMENT_ALONE, OpenLines
from duanka.domain.network import Carried, NetworkError, TextVerdict
from duanka.domain.order_policy import MessagePolicy
from duanka.domain.private_files import private_file, write_private
from duanka.network.deadline_socket import Address, reachable
from duanka.network.refusal_store import RefusedFile
from duanka.network.sms.proxy.block_list import MessageList
from duanka.network.sms.proxy.control import LONGEST_LINE, Control
from duanka.network.sms.proxy.denied import DeniedTexts
from duanka.network.sms.proxy.link import Link
from duanka.network.sms.proxy.refusal_log import RefusalRecord
from duanka.network.sms.proxy.relay import LinkLimits, Relay
from duanka.network.sms.proxy.verdict import MessageJudge

CONTROL, SETTINGS, REFUSED = "control.sock", "settings.json", "refused.sqlite"
_LIST, _LOCK, _DENIED = "restricted.sqlite", "lock", "denied.json"
_SWITCH_SECONDS = 0.001  # longest wait of the list and log threads for the busy message loop
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProxySettings:
    """Settings of the message proxy.

    `folder`: list, refusal log and control socket. `centre`: SMSC address.

    `emergency`: destinations that always pass, beside built-in ones. `lines`: what is open to cards in lifeline.
    `write_every`: seconds between writes of
    refusals; a kill -9 loses those of one interval. `copy_every`: seconds between copies of the list.
    """

    folder: Path
    listen: Address
    centre: Address
    policy: MessagePolicy = field(default_factory=MessagePolicy)
    emergency: tuple[str, ...] = ()
    write_every: float = 0.2
    copy_every: float = 60.0
    limits: LinkLimits = field(default_factory=LinkLimits)
    lines: OpenLines = GOVERNMENT_ALONE

    def write(self) -> None:
        """Write the settings into the folder, for a process started there."""
        said = json.dumps({**asdict(self), "folder": None}, ensure_ascii=False, indent=1)
        make_private(self.folder)
        write_private(self.folder / SETTINGS, said.encode())

    @classmethod
    def read(cls, folder: Path) -> ProxySettings:
        """Read what `write` wrote; DuankaError if it is missing or invalid."""
        try:
            said = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
            said["folder"] = folder
            said["listen"], said["centre"] = tuple(said["listen"]), tuple(said["centre"])
            said["emergency"] = tuple(said["emergency"])
            lists = said["policy"]
            said["policy"] = MessagePolicy(
                tuple(tuple(words) for words in lists["keywords"]),
                tuple(lists["links"]),
                lists["per_minute"],
                tuple(lists["trusted"]),
                tuple(lists["trusted_accounts"]),
            )
            said["limits"] = LinkLimits(**said["limits"])
            said["lines"] = OpenLines(**{name: tuple(some) for name, some in said.get("lines", {}).items()})
            return cls(**said)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DuankaError(f"{folder / SETTINGS} cannot be used: {error}") from error


def run_proxy(settings: ProxySettings, *, text: TextVerdict | None = None) -> None:
    """Relay messages until SIGTERM or SIGINT. `text`: replaces the policy's lists. Raises DuankaError."""
    os.umask(0o077)
    make_private(settings.folder)
    sys.setswitchinterval(_SWITCH_SECONDS)
    _allow_descriptors(settings.limits)
    with _alone(settings.folder), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Process(settings, text).run())


class _Process:
    def __init__(self, settings: ProxySettings, text: TextVerdict | None) -> None:
        self._settings = settings
        try:
            self._cards = MessageList(settings.folder / _LIST)
        except (OSError, sqlite3.Error) as error:
            raise DuankaError(f"{settings.folder / _LIST} cannot be opened: {error}") from error
        file = RefusedFile(settings.folder / REFUSED, "message_proxy", Carried.MESSAGE)
        file.make()
        file.begin(time.time())
        self._refused, self._record = file, RefusalRecord(file)
        self._judge = MessageJudge(
            lambda: self._cards.cards,
            settings.policy,
            text=text,
            emergency=settings.emergency,
            lines=settings.lines,
        )
        self._denied = DeniedTexts.read(settings.folder / _DENIED)
        if text is None and self._denied != DeniedTexts():
            self._judge.use(self._denied.with_policy(settings.policy))
        self._relay = Relay(settings.centre, self._judge, self._record, settings.limits)

    async def run(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, stop.set)
        with ThreadPoolExecutor(1, "list") as list_thread, ThreadPoolExecutor(1, "record") as record_thread:
            control = Control(self._cards, self._status, list_thread, self._deny)
            try:
                front = await loop.create_server(
                    lambda: Link(self._relay).client, *self._settings.listen, backlog=256
                )
            except OSError as error:
                host, port = self._settings.listen
                raise DuankaError(f"the message proxy cannot listen at {host}:{port}: {error}") from error
            door = await asyncio.start_unix_server(
                control.talk, sock=_control_socket(self._settings.folder), limit=LONGEST_LINE
            )
            working = [
                loop.create_task(self._relay.watch()),
                loop.create_task(self._relay.expire_counts()),
                loop.create_task(self._keep_writing(record_thread)),
                loop.create_task(self._keep_copying(list_thread)),
            ]
            await stop.wait()
            front.close()
            door.close()
            self._relay.close()
            control.close()
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            await loop.run_in_executor(record_thread, self._end_record)
            await loop.run_in_executor(list_thread, self._close_list)
            (self._settings.folder / CONTROL).unlink(missing_ok=True)

    async def _keep_writing(self, thread: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._settings.write_every)
            await loop.run_in_executor(thread, self._record.write)

    async def _keep_copying(self, thread: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._settings.copy_every)
            try:
                await loop.run_in_executor(thread, self._cards.keep_copy)
            except (OSError, sqlite3.Error) as error:
                _LOG.warning("the copy of the list is not written: %s", error)

    def _deny(self, denied: DeniedTexts) -> None:
        """Refuse these texts from now on: durable first, then in force."""
        lists = denied.with_policy(self._settings.policy)
        denied.write(self._settings.folder / _DENIED)
        self._judge.use(lists)
        self._denied = denied

    def _end_record(self) -> None:
        self._record.write()
        if not self._record.waits:
            with contextlib.suppress(NetworkError):  # told as if it was killed: what waited may be lost
                self._refused.end()

    def _close_list(self) -> None:
        with contextlib.suppress(OSError, sqlite3.Error):  # optional: the main file is complete without it
            self._cards.keep_copy()
        self._cards.close()

    def _status(self) -> dict[str, object]:
        return {
            "links": len(self._relay.links),
            "unbound": len(self._relay.unbound),
            "displaced": self._relay.displaced,
            "not_bound": self._relay.not_bound,
            "passed": self._relay.passed,
            "refused": dict(self._relay.refused),
            "malformed": self._relay.malformed,
            "lost": self._record.lost,
            "cards": len(self._cards.cards),
            "list_from": self._cards.origin.value,
            "denied": self._denied.digest,
        }


def make_private(folder: Path) -> None:
    """Create the folder if missing; make it and its files readable by the owner only."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    for one in folder.iterdir():
        if one.is_file() and not one.is_symlink():
            one.chmod(0o600)


def _allow_descriptors(limits: LinkLimits) -> None:
    """Raise the limit of open files: two connections per link, and some files."""
    wanted = 2 * (limits.links + limits.unbound) + 100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        _LOG.warning(
            "only %d open files are allowed (ulimit -n), %d are needed for all links", allowed, wanted
        )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock the folder: each of two processes would get only half of the changes."""
    with private_file(folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DuankaError(
                f"another message proxy works in {folder}: end it, or name another folder"
            ) from error
        yield


def _control_socket(folder: Path) -> socket.socket:
    """Open the control socket; only its owner may connect, and so bar cards."""
    (folder / CONTROL).unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with reachable(folder / CONTROL) as path:
            listening.bind(path)
    finally:
        os.umask(before)
    listening.listen(16)
    listening.setblocking(False)
    return listening


def main() -> int:
    """Run in the folder named on the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        run_proxy(ProxySettings.read(Path(sys.argv[1])))
    except DuankaError as error:
        _LOG.error("%s", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
