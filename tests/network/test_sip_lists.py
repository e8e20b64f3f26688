"""The lists of the call proxy: what is acknowledged holds, whoever dies; whole lists are exchanged between calls."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, ItemsView, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from duanka.domain.network import ElementRefused, NetworkError, NetworkState, Unreachable
from duanka.network.sip.element import CONTROL, CallProxy
from duanka.network.sip.json_rpc import JsonRpc
from duanka.network.sip.kamailio import OwnCallProxy
from duanka.network.sip.lists import CallLists
from duanka.sandbox.phones import Phone, Switchboard
from support.network.esme import until
from support.network.sipp_calls import answering, calling, missing
from support.parts import needed
from support.waiting import HANG

ACTIVE, BARRED, SUSPENDED = NetworkState.ACTIVE, NetworkState.OUTGOING_BARRED, NetworkState.SUSPENDED
HONEST = "8613900000000"


def card(number: int) -> str:
    return str(8613800000000 + number)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[OwnCallProxy]:
    needed(missing())
    with Switchboard() as board, OwnCallProxy(tmp_path / "proxy", board.address) as one:
        yield one


@pytest.fixture
def element(proxy: OwnCallProxy) -> Iterator[CallProxy]:
    with closing(proxy.element()) as one:
        yield one


def restarted(proxy: OwnCallProxy, how: signal.Signals = signal.SIGKILL) -> None:
    proxy.stop(how)
    proxy.start()


def works_in(folder: Path) -> list[int]:
    """Processes whose working folder it is."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                found.append(int(process.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_list_is_there_after_a_restart(
    proxy: OwnCallProxy, element: CallProxy, how: signal.Signals
) -> None:
    element.replace_all({card(n): SUSPENDED for n in range(50)})
    element.bar_outgoing(card(0))
    element.restore(card(1))
    element.suspend(card(99))
    expected = {card(n): SUSPENDED for n in (*range(2, 50), 99)} | {card(0): BARRED}
    assert dict(element.restricted()) == expected
    restarted(proxy, how)
    assert dict(element.restricted()) == expected
    with Phone(proxy.address) as phone:
        assert [phone.call(card(n), HONEST).code for n in (0, 1, 2, 99, 100)] == [608, 200, 608, 608, 200]
        assert [phone.call(HONEST, card(n)).code for n in (0, 1, 2, 99, 100)] == [200, 200, 608, 608, 200]


def test_what_is_acknowledged_survives_a_killed_kamailio(proxy: OwnCallProxy) -> None:
    acknowledged: list[int] = []

    def change(killed: threading.Event) -> None:
        with closing(proxy.element(seconds=1)) as element:  # from a killed one no answer comes
            while not killed.is_set():
                with suppress(NetworkError):
                    element.suspend(card(len(acknowledged)))
                    acknowledged.append(len(acknowledged))

    for _ in range(3):
        acknowledged.clear()
        killed = threading.Event()
        changing = threading.Thread(target=change, args=(killed,))
        changing.start()
        until(lambda: len(acknowledged) >= 50)
        proxy.stop(signal.SIGKILL)
        killed.set()
        changing.join()
        proxy.start()
        with closing(proxy.element()) as element:
            assert {card(n) for n in acknowledged} <= dict(element.restricted()).keys()
            element.replace_all({})


_OURS = """
import sys, itertools, pathlib
from duanka.network.sip.element import CallProxy
element = CallProxy(pathlib.Path(sys.argv[1]))
for number in itertools.count():
    element.suspend(str(8613800000000 + number))
    print(number, flush=True)
"""


def test_what_is_acknowledged_survives_our_own_death(proxy: OwnCallProxy, element: CallProxy) -> None:
    ours = subprocess.Popen(
        [sys.executable, "-c", _OURS, str(proxy.folder)], stdout=subprocess.PIPE, text=True
    )
    assert ours.stdout
    with ours:
        for _ in range(100):
            ours.stdout.readline()
        ours.kill()
        last = max([99, *(int(line) for line in ours.stdout if line.endswith("\n"))])
    for _ in range(2):  # in memory, and from disk
        held = dict(element.restricted())
        assert {card(n) for n in range(last + 1)} <= held.keys()
        assert len(held) <= last + 2
        restarted(proxy)


def test_without_kamailio_every_call_says_so_in_time(proxy: OwnCallProxy) -> None:
    with closing(proxy.element(seconds=0.5)) as element:
        calls: list[Callable[[], object]] = [
            lambda: element.suspend(card(1)),
            lambda: element.bar_outgoing(card(1)),
            lambda: element.restore(card(1)),
            lambda: element.state_of(card(1)),
            lambda: list(element.restricted()),
            lambda: element.replace_all({card(2): SUSPENDED}),
        ]

        def all_unreachable() -> None:
            for ask in calls:
                began = time.monotonic()
                with pytest.raises(Unreachable):
                    ask()
                assert time.monotonic() - began < HANG / 4

        for process in works_in(proxy.folder):  # alive and silent
            os.kill(process, signal.SIGSTOP)
        all_unreachable()
        proxy.stop(signal.SIGKILL)
        all_unreachable()
        proxy.start()
        element.suspend(card(3))  # what was silent has no say in what comes after
        assert element.state_of(card(3)) is SUSPENDED
    with closing(CallProxy(proxy.folder / "elsewhere")) as nowhere, pytest.raises(Unreachable):
        nowhere.suspend(card(1))


def test_children_end_with_it_also_when_the_first_was_killed(proxy: OwnCallProxy, element: CallProxy) -> None:
    assert len(works_in(proxy.folder)) > 3
    os.kill(proxy.pid, signal.SIGKILL)
    until(lambda: proxy.pid not in works_in(proxy.folder))
    left = works_in(proxy.folder)
    assert left, "its children go on serving"
    element.suspend(card(1))
    # as when whoever started it was killed too: what is left ends before another one starts
    with OwnCallProxy(proxy.folder, ("127.0.0.1", 9)) as another:
        assert not set(left) & set(works_in(proxy.folder))
        with Phone(another.address) as phone:
            assert phone.call(card(1), HONEST).code == 608
        os.kill(another.pid, signal.SIGKILL)
    until(lambda: works_in(proxy.folder) == [])


def test_a_list_changed_behind_our_back_is_told_and_mended(proxy: OwnCallProxy, element: CallProxy) -> None:
    expected = {card(n): SUSPENDED for n in range(20)}
    element.replace_all(expected)
    with closing(JsonRpc(proxy.folder / CONTROL)) as control:
        live = control.ask("htable.get", "live", "list")["item"]["value"]
        control.ask("htable.delete", live, card(3))
        assert dict(element.restricted()) == expected
        live = control.ask("htable.get", "live", "list")["item"]["value"]
        control.ask("htable.sets", live, card(50), "suspended")
        assert element.state_of(card(50)) is SUSPENDED, "asked of Kamailio, not of our file"
        assert dict(element.restricted()) == expected
        assert element.state_of(card(50)) is ACTIVE
    with Phone(proxy.address) as phone:
        assert [phone.call(card(n), HONEST).code for n in (3, 50)] == [608, 200]


@pytest.mark.parametrize("asked", ["htable.reload", "htable.sets", "htable.flush"])
def test_an_exchange_that_is_cut_off_is_whole_or_not_at_all(
    proxy: OwnCallProxy, element: CallProxy, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    """Our process dies before a step; whatever stands then, single changes hold, and the next list is whole."""
    old, new = {card(n): SUSPENDED for n in range(10)}, {card(n): SUSPENDED for n in range(100, 110)}
    element.replace_all(old)
    whole = JsonRpc.ask

    def dies(self: JsonRpc, method: str, *parameters: object, seconds: float | None = None) -> Any:
        if method == asked:
            raise KeyboardInterrupt
        return whole(self, method, *parameters, seconds=seconds)

    def loads_only_what_does_not_count(
        self: JsonRpc, method: str, *parameters: object, seconds: float | None = None
    ) -> Any:
        if method in ("htable.reload", "htable.flush"):
            assert parameters[0] != whole(self, "htable.get", "live", "list")["item"]["value"]
        return whole(self, method, *parameters, seconds=seconds)

    with monkeypatch.context() as patch:
        patch.setattr(JsonRpc, "ask", dies)
        with pytest.raises(KeyboardInterrupt):
            element.replace_all(new)
    with monkeypatch.context() as patch, closing(proxy.element()) as at_once:
        patch.setattr(JsonRpc, "ask", loads_only_what_does_not_count)
        at_once.replace_all(old)
        patch.setattr(JsonRpc, "ask", dies)
        with pytest.raises(KeyboardInterrupt):
            at_once.replace_all(new)
    with closing(proxy.element()) as later:
        later.suspend(card(5))
        later.restore(card(0))
        later.suspend(card(105))
        for _ in range(2):
            held = dict(later.restricted())
            assert held.keys() in (
                {*old, card(105)} - {card(0)},
                {*new, card(5)},
            )
            assert (asked == "htable.reload") == (card(1) in held)
            restarted(proxy)
        with monkeypatch.context() as patch:
            patch.setattr(JsonRpc, "ask", loads_only_what_does_not_count)
            later.replace_all(new)
        assert dict(later.restricted()) == new


def test_a_list_that_is_too_long_changes_nothing(tmp_path: Path) -> None:
    needed(missing())
    with (
        Switchboard() as board,
        OwnCallProxy(tmp_path / "proxy", board.address, entries=1000, waiting=100, megabytes=24) as proxy,
        closing(proxy.element()) as element,
        Phone(proxy.address) as phone,
    ):
        element.replace_all({card(1): SUSPENDED})
        with pytest.raises(ElementRefused, match="entries"):
            element.replace_all({card(n): SUSPENDED for n in range(1000, 120_000)})
        element.suspend(card(2))
        for _ in range(2):
            assert dict(element.restricted()) == {card(1): SUSPENDED, card(2): SUSPENDED}
            assert [phone.call(card(n), HONEST).code for n in (1, 2, 1000)] == [608, 608, 200]
            restarted(proxy)


class Held(dict[str, NetworkState]):
    """A list whose loading stops until it may go on."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def items(self) -> ItemsView[str, NetworkState]:  # type: ignore[override]
        self.begun.set()
        assert self.go_on.wait(HANG)
        return ItemsView(self)


def test_one_exchange_at_a_time(proxy: OwnCallProxy, element: CallProxy) -> None:
    held = Held({card(1): SUSPENDED})
    exchanging = threading.Thread(target=element.replace_all, args=(held,))
    exchanging.start()
    with closing(proxy.element()) as other:
        try:
            assert held.begun.wait(HANG)
            with pytest.raises(ElementRefused, match="another whole list"):
                other.replace_all({})
        finally:
            held.go_on.set()
            exchanging.join()
        assert dict(other.restricted()) == {card(1): SUSPENDED}
        other.replace_all({})
        assert dict(other.restricted()) == {}


def test_lists_exchanged_under_traffic_give_no_wrong_verdict(tmp_path: Path) -> None:
    """5,000 cards, 400 calls a second, two lists in turn and single changes all the while."""
    needed(missing())
    always, first, second = range(5_000), range(10_000, 11_000), range(20_000, 21_000)
    lists = [{card(n): SUSPENDED for n in (*always, *more)} for more in (first, second)]
    numbers = [(card(n), HONEST) for n in range(0, 5_000, 5)]
    numbers += [(HONEST, card(n)) for n in range(1, 5_000, 5)]
    numbers += [(str(8613910000000 + n), HONEST) for n in range(1_000)]
    numbers += [(card(n), "110") for n in range(0, 5_000, 10)]
    mixed = [row for four in itertools.zip_longest(*(numbers[n::4] for n in range(4))) for row in four if row]
    with (
        answering(tmp_path / "far-end") as far_end,
        OwnCallProxy(tmp_path / "proxy", far_end) as proxy,
        closing(proxy.element()) as element,
        closing(proxy.element()) as single,
        closing(CallLists(proxy.folder, seconds=1)) as disk,
    ):
        element.replace_all(lists[0])
        with calling(tmp_path / "calls", proxy.address, mixed, rate=400) as run:
            changed = exchanges = 0
            while run.process.poll() is None:
                exchanges += 1
                ours = threading.Thread(target=element.replace_all, args=(lists[exchanges % 2],))
                ours.start()
                during = []
                while ours.is_alive():
                    if disk.filling:  # what came before belongs to the list that goes
                        during.append(card(30_000 + changed))
                    single.suspend(card(30_000 + changed))
                    changed += 1
                ours.join()
                # `restricted` would mend what it finds wrong: first as calls are judged
                assert {single.state_of(one) for one in during} <= {SUSPENDED}, "no single change is lost"
                held = dict(element.restricted())
                assert {*lists[exchanges % 2], *during} <= held.keys()
                assert not held.keys() & lists[1 - exchanges % 2].keys() - {card(n) for n in always}
            results = run.results()
        assert exchanges >= 2, "each list came in at least once while calls came"
        assert changed >= exchanges
        assert len(results) == len(mixed)
        blocked = {card(n) for n in always}
        wrong = [
            one
            for one in results
            if (one.answer == 608)
            != (one.callee != "110" and (one.caller in blocked or one.callee in blocked))
        ]
        assert wrong == []
        expected = sum(one.answer == 608 for one in results)
        until(lambda: len(element.refusals(0, 10_000)[0]) >= expected)
        assert len(element.refusals(0, 10_000)[0]) == expected
