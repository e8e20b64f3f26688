"""The call proxy under SIPp: wrong verdicts, rate, processor time of a call, exchanges of the whole list, a kill -9.

SIPp calls and answers on the same machine: it takes more of it than the proxy does. Calls are honest, from blocked
cards, to suspended cards, and from blocked cards to emergency numbers; each is compared with what it must be. A call
that passes is five messages through the proxy, one that is refused three. SIPp's clock ticks every 4 ms, so a
telephone of our own that is refused a hundred times a second measures how long the proxy takes.

    python benchmarks/sip.py [--rate 2000] [--seconds 30] [--cards 100000] [--short]
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from duanka.domain.network import NetworkState
from duanka.network.sip.element import CallProxy
from duanka.network.sip.kamailio import OwnCallProxy
from duanka.sandbox.phones import Phone
from support.network.sip_messages import escaped
from support.network.sipp_calls import Called, Calling, answering, calling, missing
from support.phone_number_forms import EMERGENCY as FORMS

_TICKS = os.sysconf("SC_CLK_TCK")
_CHANGING = 10_000  # cards that are on one of two lists only; nobody calls from them
EMERGENCY = tuple(
    escaped(form) for form in FORMS
)  # in every form that a telephone, a switch or a person writes


def blocked(number: int) -> str:
    """A card on every list."""
    return str(8613800000000 + number)


def honest(number: int) -> str:
    """A card on none."""
    return str(8613900000000 + number)


def calls(count: int, cards: int) -> list[tuple[str, str]]:
    """Of ten calls four are honest, three from blocked cards, two to them, one to an emergency number."""
    draw, made = random.Random(7), []  # noqa: S311  # no secret
    for _ in range(count):
        kind, one, other = draw.randrange(10), draw.randrange(cards), draw.randrange(cards)
        if kind < 4:
            made.append((honest(one), honest(other)))
        elif kind < 7:
            made.append((blocked(one), honest(other)))
        elif kind < 9:
            made.append((honest(one), blocked(other)))
        else:
            made.append((blocked(one), draw.choice(EMERGENCY)))
    return made


def wrong(results: list[Called]) -> int:
    """Calls that were not judged as they must be."""
    stopped = blocked(0)[:5]
    must = (
        608 if one.callee not in EMERGENCY and stopped in (one.caller[:5], one.callee[:5]) else 200
        for one in results
    )
    return sum(one.answer != code for one, code in zip(results, must, strict=True))


def emergency(numbers: int, cards: int) -> list[tuple[str, str]]:
    """Calls of blocked cards to emergency numbers alone, each form as often as the others."""
    forms = itertools.islice(itertools.cycle(EMERGENCY), numbers)
    return [(blocked(number * 7 % cards), form) for number, form in enumerate(forms)]


def cpu(group: int) -> float:
    """Seconds of processor time of all processes of a group."""
    ticks = 0
    for process in Path("/proc").glob("[0-9]*/stat"):
        fields = process.read_text().rsplit(")", 1)[1].split()
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


@contextmanager
def probing(proxy: OwnCallProxy) -> Iterator[list[float]]:
    """A telephone that is refused a hundred times a second; the seconds of each."""
    waits: list[float] = []
    over = threading.Event()

    def probe() -> None:
        with Phone(proxy.address) as phone:
            while not over.wait(0.01):
                waits.append(phone.call(blocked(0), honest(0)).seconds)

    probing = threading.Thread(target=probe)
    probing.start()
    try:
        yield waits
    finally:
        over.set()
        probing.join()


@dataclass
class Bench:
    """A proxy under calls."""

    folder: Path
    proxy: OwnCallProxy
    element: CallProxy
    numbers: list[tuple[str, str]]
    rate: int

    def run(self, name: str) -> AbstractContextManager[Calling]:
        """Begin to call."""
        return calling(self.folder / name, self.proxy.address, self.numbers, rate=self.rate)

    def told(self, name: str, run: Calling, spent: float, took: float, waits: list[float]) -> list[Called]:
        """Print what came of it. `waits`: seconds that the telephone waited."""
        results = run.results(600)
        quantiles = statistics.quantiles(waits, n=1000)
        print(
            f"{name}: {len(results):,} of {len(self.numbers):,} calls in {took:.1f} s, "
            f"{len(results) / took:,.0f}/s; {wrong(results)} wrong verdicts, "
            f"{len(self.numbers) - len(results)} without an answer"
        )
        print(
            f"  INVITE to 608 p50 {quantiles[499] * 1e3:.2f} ms, p99 {quantiles[989] * 1e3:.2f} ms, "
            f"most {max(waits) * 1e3:.1f} ms; Kamailio {spent / len(results) * 1e6:.0f} us of processor a call",
            flush=True,
        )
        return results

    def recorded(self) -> int:
        """Refusals on disk."""
        position = count = 0
        while True:
            some, position = self.element.refusals(position, 50_000)
            count += len(some)
            if not some:
                return count


def steady(bench: Bench) -> None:
    """The list stands still."""
    before, began = cpu(bench.proxy.pid), time.perf_counter()
    with bench.run("steady") as run, probing(bench.proxy) as waits:
        run.process.wait()
        took, spent = time.perf_counter() - began, cpu(bench.proxy.pid) - before
        results = bench.told("list stands still", run, spent, took, waits)
    refused = sum(one.answer == 608 for one in results) + len(waits)
    time.sleep(1)
    print(f"  {refused:,} refused, {bench.recorded():,} recorded")


def emergencies(bench: Bench) -> None:
    """Nobody calls but blocked cards, and all of them call for help."""
    before, began = cpu(bench.proxy.pid), time.perf_counter()
    with bench.run("emergencies") as run, probing(bench.proxy) as waits:
        run.process.wait()
        took, spent = time.perf_counter() - began, cpu(bench.proxy.pid) - before
        results = bench.told(f"emergency in {len(EMERGENCY)} forms", run, spent, took, waits)
    print(f"  {sum(one.answer == 608 for one in results)} refused")


def exchanged(bench: Bench, lists: list[dict[str, NetworkState]]) -> None:
    """The whole list is exchanged again and again, and single cards are changed meanwhile."""
    seconds: list[float] = []
    singles: list[float] = []
    before, began = cpu(bench.proxy.pid), time.perf_counter()
    over = threading.Event()

    def change() -> None:
        with closing(bench.proxy.element()) as element:
            for number in itertools.count():
                if over.wait(0.02):
                    return
                asked = time.perf_counter()
                element.suspend(str(8613700000000 + number % 1000))
                singles.append(time.perf_counter() - asked)

    changing = threading.Thread(target=change)
    with bench.run("exchanged") as run, probing(bench.proxy) as waits:
        changing.start()
        for turn in itertools.count(1):
            asked = time.perf_counter()
            bench.element.replace_all(lists[turn % 2])
            seconds.append(time.perf_counter() - asked)
            if run.process.poll() is not None:
                break
        over.set()
        changing.join()
        took, spent = time.perf_counter() - began, cpu(bench.proxy.pid) - before
        bench.told(f"list exchanged {len(seconds)} times", run, spent, took, waits)
    median = statistics.median(seconds)
    print(f"  {len(lists[0]):,} cards exchanged in {median:.1f} s (most {max(seconds):.1f} s);", end=" ")
    tail = statistics.quantiles(singles, n=100)[98]
    print(f"{len(singles):,} single changes meanwhile,", end=" ")
    print(f"p50 {statistics.median(singles) * 1e3:.1f} ms, p99 {tail * 1e3:.0f} ms")


def killed(bench: Bench, turns: int) -> None:
    """Everything of the proxy dies while it refuses: what of it was not written?"""
    lost = []
    for turn in range(turns):
        before = bench.recorded()
        with bench.run(f"killed-{turn}") as run:
            time.sleep(2 + turn * 0.07)
            bench.proxy.stop(signal.SIGKILL)
            time.sleep(0.3)
            run.process.kill()
            run.process.wait()
            refused = sum(one.answer == 608 for one in run.so_far())
        bench.proxy.start()
        lost.append(refused - (bench.recorded() - before))
    print(
        f"kill -9 at {bench.rate:,} calls/s, {turns} times: refusals lost {lost}; half of the calls are refused"
    )


def single_changes(element: CallProxy, count: int = 2000) -> None:
    """One after the other, each durable and in effect."""
    began = time.perf_counter()
    for number in range(count):
        element.suspend(str(8613600000000 + number))
    print(f"single changes, each on disk and in effect: {count / (time.perf_counter() - began):,.0f}/s")


def main() -> None:
    """Start the parts, and run."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--rate", type=int, default=2000)
    asked.add_argument("--seconds", type=int, default=30)
    asked.add_argument("--cards", type=int, default=100_000)
    asked.add_argument("--kills", type=int, default=5)
    asked.add_argument(
        "--short", action="store_true", help="the list stands still, and emergency calls: no more"
    )
    given = asked.parse_args()
    if said := missing():
        sys.exit(said)
    lists = [
        {blocked(n): NetworkState.SUSPENDED for n in range(given.cards - _CHANGING)}
        | {str(8613500000000 + turn * _CHANGING + n): NetworkState.SUSPENDED for n in range(_CHANGING)}
        for turn in (0, 1)
    ]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with answering(folder / "far-end") as far_end, OwnCallProxy(folder / "proxy", far_end) as proxy:
            with closing(proxy.element()) as element:
                element.replace_all(lists[0])
                single_changes(element)
                numbers = calls(given.rate * given.seconds, given.cards - _CHANGING)
                bench = Bench(folder, proxy, element, numbers, given.rate)
                steady(bench)
                urgent = emergency(given.rate * min(given.seconds, 10), given.cards - _CHANGING)
                emergencies(Bench(folder, proxy, element, urgent, given.rate))
                if given.short:
                    return
                exchanged(bench, lists)
                killed(bench, given.kills)
            began = time.perf_counter()
            proxy.start()
            print(f"start with {given.cards:,} cards: {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
