"""Ways to the police: each puts a clue there whole and once, or not at all, whenever the sender is killed."""

from __future__ import annotations

import os
import random
import signal
import stat
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from duanka.bootstrap.casework.clues import ClueWiring, clue_services
from duanka.casework.clues.delivery.address import Delivery, DeliveryFailed, address_of
from duanka.casework.clues.delivery.folder import FolderDelivery
from duanka.casework.clues.delivery.http import HttpDelivery
from duanka.casework.clues.delivery.sftp import SftpDelivery
from duanka.casework.clues.files.manifest import ClueKey, faults_of, folder_files
from duanka.domain.clue import ClueError, ClueState
from duanka.domain.sealing import derived
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.unit_of_work.unit_of_work import Terms
from duanka.orders.queries.ring_queries import RingQueries
from duanka.orders.service import OrderService
from support.api.desks import ELEMENTS, KEY, NOW
from support.casework.clue_scene import ClueScene, clue_scene
from support.casework.police_server import KEY as HTTP_KEY
from support.casework.police_server import PoliceServer, police_server
from support.casework.sftp_server import SftpServer, sftp_server
from support.invented_lookups import InventedLookups
from support.invented_rings import InventedRings
from support.order_policies import AT_ONCE
from support.people import SECOND
from support.photo_server import CLOSE, Say

CLUE = "L0123456789AB"
FILES = {
    "police.cms": b"\x30\x82" + bytes(range(256)) * 400,
    "manifest.json": b"{}",
    "manifest.json.sig": b"s" * 64,
}
OTHERS = {**FILES, "manifest.json": b'{"another": 1}'}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    with sftp_server(tmp_path_factory.mktemp("sshd")) as found:
        yield found


@pytest.fixture(scope="module")
def police() -> Iterator[PoliceServer]:
    with police_server() as found:
        yield found


def _sftp(server: SftpServer, **more: Any) -> SftpDelivery:
    return SftpDelivery(address_of(server.address), server.key, server.known_hosts, **more)


def _clean(inbox: Path) -> None:
    for path in sorted(inbox.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.fixture(params=["folder", "sftp", "http"])
def way(
    request: pytest.FixtureRequest, tmp_path: Path
) -> tuple[Delivery, Callable[[], dict[str, bytes] | None]]:
    """A way, and what is there of the clue."""
    if request.param == "http":
        found: PoliceServer = request.getfixturevalue("police")
        found.kept.clear()
        return HttpDelivery(address_of(found.url), HTTP_KEY), lambda: found.kept.get(CLUE)
    if request.param == "folder":
        return FolderDelivery(tmp_path), lambda: _there(tmp_path)
    server: SftpServer = request.getfixturevalue("server")
    _clean(server.inbox)
    return _sftp(server), lambda: _there(server.inbox)


def _there(inbox: Path) -> dict[str, bytes] | None:
    return folder_files(inbox / CLUE) if (inbox / CLUE).exists() else None


def test_a_clue_arrives_whole_and_once(way: tuple[Delivery, Callable[[], dict[str, bytes] | None]]) -> None:
    delivery, there = way
    first = delivery.put(CLUE, FILES)
    assert there() == FILES
    assert delivery.put(CLUE, FILES) == first
    assert there() == FILES


def test_another_clue_under_its_id_is_told_and_stays(
    way: tuple[Delivery, Callable[[], dict[str, bytes] | None]],
) -> None:
    delivery, there = way
    delivery.put(CLUE, OTHERS)
    with pytest.raises(DeliveryFailed):
        delivery.put(CLUE, FILES)
    assert there() == OTHERS


def test_nobody_else_may_read_what_is_put_in_a_folder(tmp_path: Path) -> None:
    FolderDelivery(tmp_path).put(CLUE, FILES)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / CLUE).iterdir()}
    assert (modes, stat.S_IMODE((tmp_path / CLUE).stat().st_mode)) == ({0o600}, 0o700)


def test_a_folder_that_is_not_there_takes_nothing(tmp_path: Path) -> None:
    with pytest.raises(DeliveryFailed, match="does not take the clue"):
        FolderDelivery(tmp_path / "away").put(CLUE, FILES)


# HTTP


def test_an_answer_that_gets_lost_is_asked_for_again(police: PoliceServer) -> None:
    police.kept.clear()
    delivery = HttpDelivery(address_of(police.url), HTTP_KEY)
    police.script.append(CLOSE)
    with pytest.raises(DeliveryFailed, match="did not answer"):
        delivery.put(CLUE, FILES)
    delivery.put(CLUE, FILES)
    assert police.kept == {CLUE: FILES}
    lost, taken = police.heard[-2:]
    assert lost.headers["idempotency-key"] == taken.headers["idempotency-key"]


@pytest.mark.parametrize("status", [301, 401, 413, 500])
def test_what_is_no_yes_is_told(police: PoliceServer, status: int) -> None:
    police.script.append(Say(b"", status))
    with pytest.raises(DeliveryFailed, match=f"status {status}"):
        HttpDelivery(address_of(police.url), HTTP_KEY).put(CLUE, FILES)


def test_a_wrong_key_delivers_nothing(police: PoliceServer) -> None:
    police.kept.clear()
    with pytest.raises(DeliveryFailed, match="status 401"):
        HttpDelivery(address_of(police.url), "another").put(CLUE, FILES)
    assert police.kept == {}


# SFTP


def test_a_host_with_another_key_gets_nothing(server: SftpServer, tmp_path: Path) -> None:
    _clean(server.inbox)
    known = tmp_path / "known_hosts"
    known.write_text(
        server.known_hosts.read_text().replace("AAAAC3NzaC1lZDI1NTE5AAAAI", "AAAAC3NzaC1lZDI1NTE5AAAAJ")
    )
    with pytest.raises(DeliveryFailed, match="cannot be asked"):
        SftpDelivery(address_of(server.address), server.key, known).put(CLUE, FILES)
    assert list(server.inbox.iterdir()) == []


def test_without_the_program_or_the_key_the_error_says_what_to_do(server: SftpServer) -> None:
    with pytest.raises(DeliveryFailed, match="apt install openssh-client"):
        _sftp(server, program="sftp-that-is-not-there").put(CLUE, FILES)
    with pytest.raises(ClueError, match="DUANKA_CLUE_SFTP_KEY"):
        SftpDelivery(address_of(server.address), None, None)


def _ended(work: Callable[[], object]) -> NoReturn:
    """Do the work of a forked process, and leave it without what pytest would do at the end."""
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def test_a_sender_that_is_killed_leaves_nothing_or_the_whole_by_sftp(server: SftpServer) -> None:
    _clean(server.inbox)
    draw, killed, began = random.Random(7), 0, time.monotonic()
    _sftp(server).put(CLUE, FILES)
    took = time.monotonic() - began
    for _ in range(6):
        _clean(server.inbox)
        child = os.fork()
        if child == 0:
            os.setsid()  # sftp dies with its sender
            _ended(lambda: _sftp(server).put(CLUE, FILES))
        time.sleep(draw.uniform(0, took))
        try:
            os.killpg(child, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(child, signal.SIGKILL)  # not in its session yet
        killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        assert _there(server.inbox) in (None, FILES)
        _sftp(server).put(CLUE, FILES)
        assert [path.name for path in server.inbox.iterdir()] == [CLUE]
        assert _there(server.inbox) == FILES
    assert killed >= 2


# The whole send


@contextmanager
def _services(url: str) -> Iterator[Any]:
    """The services of clues on this database, as another process has them."""
    store = Store(url)
    orders = OrderService(store, Terms(AT_ONCE, Trail(KEY), ELEMENTS))
    rings, lookups = RingQueries(store, Trail(KEY), InventedRings), InventedLookups()
    yield clue_services(orders, rings, lambda: lookups, lookups.status, ClueWiring(KEY))
    store.close()


def _killed_at(step: int) -> None:
    """Kill this process at its `step`th act on files, as `kill -9` does."""
    left = [step]

    def count(event: str, _: object) -> None:
        if left[0] >= 0 and event.startswith(("open", "os.", "shutil.")):
            left[0] -= 1
            if left[0] < 0:  # killing is such an act, too
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def _sends(url: str, clue: str, steps: int) -> None:
    with _services(url) as services:
        _killed_at(steps)
        services.files.send(clue, SECOND, "by the folder", NOW)


@pytest.mark.requirement("R8")
def test_a_send_that_is_killed_at_any_step_is_repeated_once(sqlite_url: str, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    store = Store(sqlite_url)
    scene = clue_scene(store, inbox)
    reviewed, steps, done = scene.reviewed(), 0, False
    while not done:
        _clean(inbox)
        child = os.fork()
        if child == 0:
            _ended(partial(_sends, sqlite_url, reviewed.id, steps))
        done = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        whole = folder_files(inbox / reviewed.id) if (inbox / reviewed.id).exists() else None
        assert whole is None or faults_of(whole, ClueKey(derived(KEY, "clues")).public) == []
        steps += 1
        assert steps < 200
    assert steps > 10
    with _services(sqlite_url) as services:
        sent = services.files.send(reviewed.id, SECOND, "once more", NOW)
        assert (sent.state, sent.sent_at) == (ClueState.SENT, NOW)
    assert [path.name for path in inbox.iterdir()] == [reviewed.id]
    store.close()


def test_a_clue_that_was_killed_before_it_was_kept_as_sent_is_found_there(scene: ClueScene) -> None:
    clue, files = scene.reviewed(), scene.desk.casework.clues.files
    files.send(clue.id, SECOND, "by the folder", NOW)
    delivered = folder_files(scene.inbox / clue.id)
    again = files.send(clue.id, SECOND, "again", NOW)
    assert (again.state, folder_files(scene.inbox / clue.id)) == (ClueState.SENT, delivered)


@pytest.fixture
def scene(store: Store, tmp_path: Path) -> ClueScene:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    return clue_scene(store, inbox)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/orders.sqlite"
