"""A disk that is full, for each writer: what was there stays, the error says what to do, and it goes on after that.

Files may grow to so many bytes and no more (RLIMIT_FSIZE), which a writer meets as it meets a full disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap import scan as app
from duanka.bootstrap.settings import Settings
from duanka.cli.main import NO_ROOM
from duanka.domain.errors import MAKE_ROOM, DuankaError
from duanka.domain.network import Carried, LossCause, NetworkState, RefusalReason, Unreachable
from duanka.domain.ports import Silent
from duanka.ledger.audit.trail import Fault
from duanka.ledger.db.database import in_words
from duanka.network.refusal_store import RefusedFile
from duanka.network.sip.lists import CallLists, make
from duanka.network.sms.proxy.refusal_log import RefusalRecord
from duanka.reports.list_changes import write_changes
from support.desk import ENGLISH
from support.disk import room_for
from support.orders.books import receive
from support.typed_desk import TypedDesk, card, demand
from support.waiting import HANG

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Calls of which some trip a rule, and some cannot be read."""
    folder = tmp_path / "records"
    folder.mkdir()
    cards = [f"86138000{number:05}" for number in range(200)]
    register = "\n".join(f"{one},2020-01-01 09:00:00" for one in cards)
    (folder / "cards.csv").write_text(f"card,opened_at\n{register}\n")
    calls = [
        f"{one},86139001{number:05},out,2021-05-17 09:{number % 60:02}:{number // 60:02},0,false"
        for one in cards[:60]
        for number in range(70)
    ]
    broken = [f"nonsense{number},x,out,2021-05-17,0,false" for number in range(300)]
    (folder / "calls.csv").write_text(
        "\n".join(["card,peer,direction,started_at,seconds,answered", *calls, *broken])
    )
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_scan_leaves_the_earlier_lists_whichever_file_finds_no_room(records: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def scan() -> None:
        app.scan(
            Settings(),
            records,
            out,
            policy=app.policy_named("national"),
            progress=Silent(),
        )

    scan()
    before = _files(out)
    for size in (1, *sorted(len(content) - 1 for content in before.values())):
        with room_for(size), pytest.raises((OSError, DuankaError)) as full:
            scan()
        assert MAKE_ROOM in str(full.value) or getattr(full.value, "errno", None) in NO_ROOM, (
            size,
            full.value,
        )
        assert _files(out) == before, size
    scan()
    assert _files(out).keys() == before.keys()


def test_the_command_says_what_to_do(records: Path, tmp_path: Path) -> None:
    code = (
        "import resource, sys, duanka.cli.main as cli\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))\n"
        f"sys.argv = ['duanka', 'scan', {str(records)!r}, '--out', {str(tmp_path / 'out')!r}]\ncli.main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
        env={**os.environ, **ENGLISH},
    )
    assert ran.returncode == 2
    assert ran.stderr.rstrip().endswith(MAKE_ROOM), ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_what_changed_since_yesterday_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    lists = [tmp_path / "before.csv", tmp_path / "now.csv"]
    for name, first in zip(lists, (0, 500), strict=True):
        rows = [f"{card(number)},high,fan_out,why,verify" for number in range(first, first + 1000)]
        name.write_text("\n".join(["card,tier,rules,reasons,action", *rows]) + "\n", encoding="utf-8-sig")
    write_changes(lists[0], lists[1], tmp_path / "changes.csv")
    whole = (tmp_path / "changes.csv").read_bytes()
    with room_for(10_000), pytest.raises(OSError, match="File too large"):
        write_changes(lists[1], lists[0], tmp_path / "changes.csv")
    assert (tmp_path / "changes.csv").read_bytes() == whole
    assert not list(tmp_path.glob("*.unfinished"))


def test_an_order_database_without_room_loses_nothing_and_goes_on(tmp_path: Path) -> None:
    desk = TypedDesk(tmp_path / "orders")
    desk.demand(demand(0))
    more = [demand(number) for number in range(1, 200)]
    with desk.open() as here:
        with room_for(40_000), pytest.raises(OperationalError) as full:
            receive(here.orders, more, app_orders.now())
        told = str(in_words(full.value))
        assert "nothing of it was done" in told
        assert told.endswith(MAKE_ROOM)
        assert card(1) not in told
        assert receive(here.orders, [*more, demand(0)], app_orders.now()).opened == 199
        assert not [one for one in here.trail.verify(here.store) if isinstance(one, Fault)]
    with room_for(4096):
        assert MAKE_ROOM in desk.type("wang", "cards", "show", card(0)).text
    assert "Orders" in desk.done("wang", "cards", "show", card(0), columns=120).text


def test_refusals_wait_for_room_and_none_is_lost(tmp_path: Path) -> None:
    file = RefusedFile(tmp_path / "refused.sqlite", "message_proxy", Carried.MESSAGE)
    file.make()
    record = RefusalRecord(file)
    for number in range(2000):
        record.add(NOW, card(number), card(0), RefusalReason.BLOCKED_SENDER, "")
    with room_for(40_000):
        record.write()
    assert len(file.read(0, 5000)[0]) < 2000
    record.write()
    assert [one.card for one in file.read(0, 5000)[0]] == [card(number) for number in range(2000)]
    assert record.lost == 0


def test_what_is_dropped_for_want_of_room_is_told_once_there_is_some(tmp_path: Path) -> None:
    file = RefusedFile(tmp_path / "refused.sqlite", "message_proxy", Carried.MESSAGE)
    file.make()
    record = RefusalRecord(file, most=10)
    with room_for(1):
        for number in range(30):
            record.add(NOW + timedelta(seconds=number), card(number), card(0), RefusalReason.RATE, "")
            if number == 20:
                record.write()  # the disk takes nothing
        record.write()
    assert (record.lost, list(file.losses())) == (20, [])
    for _ in range(2):
        record.write()
        told = sorted(file.losses(), key=lambda one: one.since or NOW)
        assert [(one.since, one.until, one.count, one.why) for one in told] == [
            (NOW + timedelta(seconds=10), NOW + timedelta(seconds=20), 11, LossCause.NO_ROOM),
            (NOW + timedelta(seconds=21), NOW + timedelta(seconds=29), 9, LossCause.NO_ROOM),
        ]
    file.forget_losses([told[0].key])
    assert len(file.losses()) == 1
    assert len(file.read(0, 100)[0]) == 10


def test_a_list_of_the_call_proxy_takes_a_change_whole_or_says_that_it_did_not(tmp_path: Path) -> None:
    make(tmp_path)
    with closing(CallLists(tmp_path, seconds=HANG)) as lists:
        lists.put({card(0): NetworkState.SUSPENDED})
        with room_for(1), pytest.raises(Unreachable):
            lists.put({card(1): NetworkState.SUSPENDED})
        assert lists.cards() == [card(0)]
        lists.put({card(1): NetworkState.SUSPENDED})
        assert sorted(lists.cards()) == [card(0), card(1)]
