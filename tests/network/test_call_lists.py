"""Calls never depend on our file: a spoilt list is put aside, and emergency and honest calls pass."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from duanka.domain.network import NetworkState, Unreachable
from duanka.network.process import OwnProcess
from duanka.network.sip.kamailio import OwnCallProxy
from duanka.network.sip.lists import GOOD_COPY, LISTS
from support.network.sip_messages import PASSED, RawCaller
from support.network.sipp_calls import missing
from support.parts import needed
from support.phone_number_forms import CARD

LATER = "8613800138009"


def _noise(path: Path) -> None:
    octets = bytearray(path.read_bytes())
    octets[4096:8192] = os.urandom(4096)
    octets[100:200] = os.urandom(100)
    path.write_bytes(octets)


SPOILT: dict[str, Callable[[Path], object]] = {
    "noise": _noise,
    "text": lambda path: path.write_text("no database"),
    "half": lambda path: os.truncate(path, path.stat().st_size // 2 + 100),
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("copied", [True, False])
def test_kamailio_starts_with_a_spoilt_list(
    tmp_path: Path, spoil: Callable[[Path], object], copied: bool
) -> None:
    needed(missing())
    folder = tmp_path / "proxy"
    with RawCaller() as caller:
        proxy = OwnCallProxy(folder, caller.address)
        with proxy, closing(proxy.element()) as element:
            element.suspend(CARD)
            if copied:
                assert dict(element.restricted()) == {CARD: NetworkState.SUSPENDED}
            element.suspend(LATER)
        assert (folder / GOOD_COPY).exists() is copied
        for behind in ("-wal", "-shm"):
            (folder / f"{LISTS}{behind}").unlink(missing_ok=True)
        spoil(folder / LISTS)
        process = OwnProcess(proxy.command(), folder / "kamailio.log", folder)
        try:
            process.until(proxy._ready)
            assert caller.send(proxy.address) == PASSED
            assert caller.send(proxy.address, "sip:110@op", f"<sip:{CARD}@op>") == PASSED
            if copied or spoil is not SPOILT["missing"]:
                assert "ALARM" in (folder / "kamailio.log").read_text()
            wanted = NetworkState.SUSPENDED if copied else NetworkState.ACTIVE
            with closing(proxy.element()) as element:
                assert element.state_of(CARD) is wanted
                element.suspend(CARD)
                assert caller.send(proxy.address, who=f"<sip:{CARD}@op>") == "SIP/2.0 608 Rejected"
        finally:
            process.end()


def test_a_list_that_is_spoilt_while_kamailio_runs_is_said_and_no_call_waits_for_it(tmp_path: Path) -> None:
    needed(missing())
    with RawCaller() as caller, OwnCallProxy(tmp_path / "proxy", caller.address) as proxy:
        with closing(proxy.element()) as element:
            element.suspend(CARD)
        (tmp_path / "proxy" / LISTS).write_text("no database")
        with closing(proxy.element()) as element, pytest.raises(Unreachable, match="start of the call proxy"):
            element.suspend(LATER)
        assert caller.send(proxy.address, who=f"<sip:{CARD}@op>") == "SIP/2.0 608 Rejected"
        assert caller.send(proxy.address) == PASSED


@pytest.mark.parametrize("restarts", [False, True])
def test_a_list_that_was_removed_or_replaced_takes_no_change_that_the_next_start_forgets(
    tmp_path: Path, restarts: bool
) -> None:
    needed(missing())
    with RawCaller() as caller, OwnCallProxy(tmp_path / "proxy", caller.address) as proxy:
        with closing(proxy.element()) as element:
            element.suspend(CARD)
            assert dict(element.restricted()) == {CARD: NetworkState.SUSPENDED}
            (tmp_path / "proxy" / LISTS).unlink()
            if restarts:
                proxy.stop()
                proxy.start()
                element.suspend(LATER)
            else:
                with pytest.raises(Unreachable, match="start one there"):
                    element.suspend(LATER)
            proxy.stop()
            proxy.start()
            found = element.state_of(LATER)
        assert found is (NetworkState.SUSPENDED if restarts else NetworkState.ACTIVE)
