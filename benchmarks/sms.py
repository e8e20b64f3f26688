"""Messages straight to the message centre against messages through the proxy, turn about; and its verdicts.

A centre of our own, the proxy with 100,000 blocked cards and the lists of a policy, and a client: three processes. The
client keeps a window of messages under way, once in raw bytes and once by smpplib. The ratio is of medians; figures
per second depend on the machine, and on two cores three processes share them.

    python benchmarks/sms.py [--messages 20000] [--rounds 5] [--window 100] [--policy FILE.toml]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

sys.path.insert(0, str(Path(__file__).parent))
import smpplib.client
import uvloop
from message_text import ROOT, policy

from duanka.domain.network import NetworkState
from duanka.domain.order_policy import MessagePolicy
from duanka.network.process import OwnProcess, answers, free_port
from duanka.network.smpp import codec as smpp
from duanka.network.smpp.codec import SmppAddress
from duanka.sandbox.message_proxy import OwnMessageProxy

BLOCKED = 100_000
_WRITTEN_SECONDS = 4.0  # until all refusals are written
_TICKS = os.sysconf("SC_CLK_TCK")
Where = tuple[str, int]


@contextlib.contextmanager
def centre(folder: Path, *, journal: bool, most: int) -> Iterator[Where]:
    """A message centre in a process of its own, of `most` answers a second; 0: as many as it can.

    `journal`: each message is on disk before it is answered.
    """
    address = ("127.0.0.1", free_port())
    command = [sys.executable, "-m", "duanka.sandbox.smsc", address[0], str(address[1]), str(most)]
    if journal:
        command.append(str(folder / "journal"))
    process = OwnProcess(command, folder / "smsc.log")
    try:
        process.until(lambda: answers(*address))
        yield address
    finally:
        process.end()


def card(number: int, *, blocked: bool = False) -> str:
    """A card number; none that is blocked is among the others."""
    return f"861{38 if blocked else 39}{number:08d}"


def message(number: int, source: str, destination: str, text: str) -> bytes:
    """A submit_sm in UCS-2."""
    return smpp.submit_sm(
        number,
        SmppAddress(1, 1, source),
        SmppAddress(1, 1, destination),
        text.encode("utf-16-be"),
        data_coding=8,
    )


def honest(count: int) -> list[bytes]:
    """Messages that pass; no two are the same."""
    return [
        message(
            i,
            card(i),
            card(i + 7),
            f"您好，您的快递{i}已到小区门口驿站，请凭取件码{i % 9999}尽快领取，谢谢。",
        )
        for i in range(1, count + 1)
    ]


def mixed(count: int, words: str) -> tuple[list[bytes], set[int]]:
    """Messages of which some must be refused, and the numbers of those."""
    chance = random.Random(1)  # noqa: S311
    made, wrong = [], set()
    for i in range(1, count + 1):
        source, destination, text = card(i), card(i + 7), f"你好{i}"
        kind = chance.randrange(6)
        if kind == 0:
            source = card(chance.randrange(BLOCKED), blocked=True)
        elif kind == 1:
            destination = card(chance.randrange(BLOCKED), blocked=True)
        elif kind == 2:
            text = f"{words}{i}"
        elif kind == 3:  # a neighbour of a blocked card
            source = card(BLOCKED + chance.randrange(BLOCKED), blocked=True)
        if kind in (0, 1, 2):
            wrong.add(i)
        made.append(message(i, source, destination, text))
    return made, wrong


def refused(count: int, words: str) -> list[tuple[str, list[bytes]]]:
    """Messages that are refused and name a host and a number: all the same, and each of its own."""
    same = f"{words} http://evil-prize.example.top/a 13812345678"
    return [
        ("refused, all the same", [message(i, card(i), card(i + 7), same) for i in range(1, count + 1)]),
        (
            "refused, each of its own",
            [
                message(i, card(i), card(i + 7), f"{words}{i} http://e{i}.example.top/a 138{10_000_000 + i}")
                for i in range(1, count + 1)
            ],
        ),
    ]


class Window(asyncio.Protocol):
    """Sends units, at most `window` of them unanswered."""

    def __init__(self, units: Sequence[bytes], window: int) -> None:
        self._units, self._at, self._window = units, 0, window
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self.refused: set[int] = set()
        self.waits: list[float] = []
        self._sent_at: dict[int, float] = {}
        self.bound, self.done = asyncio.Event(), asyncio.Event()
        self._answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bind."""
        self._transport = link = cast(asyncio.Transport, transport)
        body = smpp.text("bench") + smpp.text("secret") + b"\0" + bytes((0x34, 0, 0)) + b"\0"
        link.write(smpp.unit(smpp.BIND_TRANSCEIVER, 0x7FFFFFFF, body))

    def begin(self) -> None:
        """Send the first window."""
        self._send(self._window)

    def data_received(self, data: bytes) -> None:
        """Count answers, and send as many messages."""
        data = self._rest + data if self._rest else data
        at, came, now = 0, 0, time.perf_counter()
        while at + smpp.HEAD.size <= len(data):
            length, command, status, number = smpp.HEAD.unpack_from(data, at)
            if at + length > len(data):
                break
            at += length
            if command != smpp.SUBMIT_SM | smpp.RESPONSE:
                self.bound.set()
                continue
            came += 1
            self.waits.append(now - self._sent_at.pop(number))
            if status:
                self.refused.add(number)
        self._rest = data[at:]
        self._answered += came
        if self._answered == len(self._units):
            self.done.set()
        elif came:
            self._send(came)

    def _send(self, most: int) -> None:
        some = self._units[self._at : self._at + most]
        now = time.perf_counter()
        for number in range(self._at + 1, self._at + 1 + len(some)):
            self._sent_at[number] = now
        self._at += len(some)
        if some and self._transport:
            self._transport.write(b"".join(some))


async def raw(where: Where, units: Sequence[bytes], window: int) -> tuple[float, Window]:
    """Seconds for all of them."""
    transport, client = await asyncio.get_running_loop().create_connection(
        lambda: Window(units, window), *where
    )
    await client.bound.wait()
    began = time.perf_counter()
    client.begin()
    await client.done.wait()
    took = time.perf_counter() - began
    transport.close()
    return took, client


def by_library(where: Where, count: int, window: int) -> float:
    """Seconds for `count` messages by smpplib, a window at a time."""
    client = smpplib.client.Client(*where, allow_unknown_opt_params=True)
    client.logger.disabled = True
    client.set_message_sent_handler(lambda pdu: None)
    client.connect()
    client.bind_transceiver(system_id="bench", password="secret")  # noqa: S106  # loopback
    began = time.perf_counter()
    for first in range(0, count, window):
        some = range(first, min(first + window, count))
        for i in some:
            text = f"您好，您的快递{i}已到小区门口驿站，请尽快领取。".encode("utf-16-be")
            client.send_message(
                source_addr_ton=1, source_addr=card(i), dest_addr_ton=1, destination_addr=card(i + 7),
                short_message=text, data_coding=8,
            )  # fmt: skip
        for _ in some:
            client.read_once()
    took = time.perf_counter() - began
    client.unbind()
    client.disconnect()
    return took


def cpu(pid: int) -> float:
    """Seconds of processor time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def ratio(name: str, count: int, direct: list[float], through: list[float]) -> None:
    """Print rates and their ratio."""
    one, two = count / statistics.median(direct), count / statistics.median(through)
    pairs = ", ".join(f"{a / b:.2f}" for a, b in zip(direct, through, strict=True))
    print(
        f"{name}: direct {one:,.0f}/s, through the proxy {two:,.0f}/s, ratio {two / one:.3f} (turns: {pairs})"
    )


def run(asked: argparse.Namespace, where: Where, proxy: OwnMessageProxy, words: str) -> None:
    """All of it, printed."""
    units = honest(asked.messages)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for target in (where, proxy.address):  # warm
            runner.run(raw(target, units[:2000], asked.window))
        for window in (asked.window, 1):
            some = units if window > 1 else units[: len(units) // 10]
            direct, through, waits, spent, unjust = [], [], [], 0.0, 0
            for _ in range(asked.rounds):
                direct.append(runner.run(raw(where, some, window))[0])
                before = cpu(proxy.pid)
                took, client = runner.run(raw(proxy.address, some, window))
                spent += cpu(proxy.pid) - before
                through.append(took)
                waits += client.waits
                unjust += len(client.refused)
            ratio(f"raw client, {window} under way", len(some), direct, through)
            quantiles = statistics.quantiles(waits, n=100)
            each = spent / asked.rounds / len(some) * 1e6
            print(f"  answer p50 {quantiles[49] * 1e3:.2f} ms, p99 {quantiles[98] * 1e3:.2f} ms;", end=" ")
            print(f"proxy {each:.0f} us of processor each; {unjust} honest messages refused")
        made, wrong = mixed(asked.messages, words)
        _, client = runner.run(raw(proxy.address, made, asked.window))
        print(
            f"verdicts: {len(made):,} messages, {len(wrong):,} to refuse, {len(wrong ^ client.refused)} wrong"
        )
        for name, some in refused(asked.messages, words):
            before = cpu(proxy.pid)
            runner.run(raw(proxy.address, some, asked.window))
            time.sleep(_WRITTEN_SECONDS)  # indicators are read in the thread that writes refusals
            each = (cpu(proxy.pid) - before) / len(some) * 1e6
            print(f"{name}: proxy {each:.0f} us of processor each")
    count = asked.messages // 4
    direct, through = [], []
    for _ in range(asked.rounds):
        direct.append(by_library(where, count, asked.window))
        through.append(by_library(proxy.address, count, asked.window))
    ratio(f"smpplib, {asked.window} under way", count, direct, through)


def main() -> None:
    """Start the parts, and run."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--messages", type=int, default=20_000)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--window", type=int, default=100)
    asked.add_argument("--policy", type=Path, default=ROOT / "policies" / "national.toml")
    asked.add_argument("--most", type=int, default=5000, help="answers a second of the centre with a licence")
    given = asked.parse_args()
    said = policy(given.policy)
    # the rate is not what is measured: a limit that no sender reaches costs the same
    lists = MessagePolicy(
        said.keywords, said.links or ("evil.example",), 1_000_000, said.trusted, said.trusted_accounts
    )
    kinds = (
        (f"a centre of {given.most:,}/s, each message on disk before its answer", True, given.most),
        ("a centre as fast as it can, each message on disk before its answer", True, 0),
        ("a centre that does nothing but answer: an upper bound", False, 0),
    )
    for name, journal, most in kinds:
        print(f"--- {name}")
        with (
            tempfile.TemporaryDirectory() as folder,
            centre(Path(folder), journal=journal, most=most) as where,
            OwnMessageProxy(Path(folder) / "proxy", where, lists) as proxy,
        ):
            with contextlib.closing(proxy.element(60)) as element:
                began = time.perf_counter()
                element.replace_all({card(i, blocked=True): NetworkState.SUSPENDED for i in range(BLOCKED)})
                print(f"{BLOCKED:,} cards exchanged in {time.perf_counter() - began:.2f} s; ", end="")
                print(f"{len(lists.keywords)} keyword sets, {len(lists.links)} links", flush=True)
            run(given, where, proxy, "".join(lists.keywords[0]))


if __name__ == "__main__":
    main()
