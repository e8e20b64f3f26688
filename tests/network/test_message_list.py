"""The message proxy's list where its file is spoilt: messages go on, by the last good copy or by an empty list."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from duanka.domain.network import NetworkState
from duanka.network.smpp import codec as smpp
from duanka.network.sms.proxy.block_list import MessageList
from duanka.sandbox.message_proxy import OwnMessageProxy
from duanka.sandbox.smsc import OwnShortMessageCentre
from support.network.esme import BLOCKED, REFUSED, Esme
from support.network.message_path import own_centre, own_proxy
from support.waiting import HANG

centre = pytest.fixture(own_centre)
proxy = pytest.fixture(own_proxy)
SUSPENDED, BARRED = NetworkState.SUSPENDED, NetworkState.OUTGOING_BARRED
SPOILT = [b"", b"nothing like a database " * 500, b"SQLite format 3\0" + b"\xff" * 9000]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "restricted.sqlite"


def spoil(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for one in path.parent.glob("restricted.sqlite-*"):
        one.unlink()


def halve(path: Path) -> None:
    """A file of which the end is missing, as after a disk that was full."""
    content = path.read_bytes()
    spoil(path, content[: len(content) // 2])


def many(count: int) -> dict[str, NetworkState]:
    return {f"86138{i:08d}": SUSPENDED for i in range(count)}


@pytest.mark.parametrize("content", SPOILT[1:])
def test_without_a_copy_the_list_is_empty_and_says_so(path: Path, content: bytes) -> None:
    spoil(path, content)
    cards = MessageList(path)
    assert (cards.cards, cards.origin) == ({}, "nothing")
    cards.write({BLOCKED: SUSPENDED})
    cards.close()
    again = MessageList(path)
    assert (again.cards, again.origin) == ({BLOCKED: SUSPENDED}, "nothing"), "nobody has compared it since"
    again.confirm()
    again.close()
    confirmed = MessageList(path)
    assert (confirmed.cards, confirmed.origin) == ({BLOCKED: SUSPENDED}, "file")
    assert path.with_name("restricted.sqlite.spoilt").read_bytes() == content
    confirmed.close()


@pytest.mark.parametrize("content", [None, *SPOILT])
def test_the_last_good_copy_counts(path: Path, content: bytes | None) -> None:
    cards = MessageList(path)
    cards.write_whole(many(5000))
    cards.keep_copy()
    cards.write({BLOCKED: SUSPENDED})  # since the copy
    cards.close()
    if content is None:
        halve(path)
    else:
        spoil(path, content)
    again = MessageList(path)
    assert (again.cards, again.origin) == (many(5000), "copy")
    again.close()


def test_a_spoilt_copy_is_none(path: Path) -> None:
    spoil(path, SPOILT[1])
    path.with_name("restricted.sqlite.copy").write_bytes(SPOILT[2])
    cards = MessageList(path)
    assert (cards.cards, cards.origin) == ({}, "nothing")
    cards.close()


def test_a_row_in_a_state_that_is_none_stops_no_other(path: Path) -> None:
    cards = MessageList(path)
    cards.write({BLOCKED: SUSPENDED, "8613800138001": BARRED})
    cards.close()
    with closing(sqlite3.connect(path, timeout=HANG)) as database, database:
        database.execute("UPDATE restricted SET state = 'dead' WHERE card = '8613800138001'")
    again = MessageList(path)
    assert (again.cards, again.origin) == ({BLOCKED: SUSPENDED}, "file")
    again.close()


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: spoil(path, SPOILT[1]), halve])
def test_a_file_that_is_lost_while_we_run_is_written_anew_from_memory(path: Path, harm: object) -> None:
    cards = MessageList(path)
    cards.write_whole(many(20_000))
    assert callable(harm)
    harm(path)
    cards.write({BLOCKED: SUSPENDED})
    cards.write_whole({**cards.cards, "8613800138001": BARRED})
    assert cards.page("8613800138000", 1) == [("8613800138001", "outgoing_barred")]
    expected = {**many(20_000), BLOCKED: SUSPENDED, "8613800138001": BARRED}
    assert cards.cards == expected
    cards.close()
    again = MessageList(path)
    assert (again.cards, again.origin) == (expected, "file")
    again.close()


def test_the_proxy_goes_on_with_a_spoilt_list_and_record(
    proxy: OwnMessageProxy, centre: OwnShortMessageCentre
) -> None:
    with closing(proxy.element()) as element:
        element.suspend(BLOCKED)
        proxy.stop()
        element.close()
        spoil(proxy.folder / "restricted.sqlite", SPOILT[2])
        (proxy.folder / "refused.sqlite").write_bytes(SPOILT[1])
        proxy.start()
        assert element.status()["list_from"] == "copy"
        with Esme(proxy.address) as esme:
            assert esme.says("hi", BLOCKED) == REFUSED
            assert esme.says("hi") == smpp.OK
        proxy.stop()
        element.close()
        spoil(proxy.folder / "restricted.sqlite", SPOILT[2])
        (proxy.folder / "restricted.sqlite.copy").unlink()
        proxy.start()
        assert element.status()["list_from"] == "nothing"
        with Esme(proxy.address) as esme:
            assert esme.says("hi", BLOCKED) == smpp.OK
    assert len(centre.accepted) == 2
