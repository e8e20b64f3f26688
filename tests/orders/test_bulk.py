"""Ten thousand cards as one act: killed in between, by two workers at once, and nothing lost or done twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import func, select

from duanka.domain.bulk_action import BulkAction, BulkActionState
from duanka.domain.order import Event, Kind, State
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import act_cards, audit, cards, orders, outbox
from duanka.orders.bulk_actions.service import BulkActionService
from support import OWN_PROCESS
from support.orders.books import DESK, ELEMENTS, KEY, NOW, SECOND, book_on, card
from support.waiting import HANG

WHY = BilingualText("窝点", "a farm")

_WORKER = """
import sys
from support.orders.books import NOW, book_on
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.ledger.db.database import Store
store = Store(sys.argv[1])
acts = BulkActionService(book_on(store))
print("ready", flush=True)
sys.stdin.readline()
while taken := acts.carry_out(NOW, limit=40):
    print(taken, flush=True)
store.close()
"""


def _worker(url: str) -> subprocess.Popen[str]:
    started = subprocess.Popen(
        [sys.executable, "-c", _WORKER, url],
        env=OWN_PROCESS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout
    assert started.stdout.readline() == "ready\n"
    return started


def _go(worker: subprocess.Popen[str]) -> None:
    assert worker.stdin
    worker.stdin.write("\n")
    worker.stdin.flush()


def _end(*workers: subprocess.Popen[str]) -> None:
    for worker in workers:
        worker.kill()
        worker.communicate()


def _running(acts: BulkActionService, number: int, first: int = 0) -> BulkAction:
    act = acts.propose(Event.SUSPEND, [card(first + n) for n in range(number)], WHY, DESK, NOW)
    return acts.approve(act.id, SECOND, "fine", NOW)


def _each_once(store: Store, act: BulkAction, number: int) -> None:
    with store.reading() as connection:
        assert (
            connection.execute(
                select(func.count()).where(
                    orders.c.kind == Kind.RESTRICTION.value,
                    orders.c.state == State.SUSPENDED.value,
                    orders.c.step == 1,
                )
            ).scalar_one()
            == number
        )
        told = connection.execute(
            select(func.count(), func.count(outbox.c.card.distinct())).select_from(outbox)
        ).one()
        assert tuple(told) == (number * len(ELEMENTS), number)
        suspended = select(func.count(audit.c.subject.distinct()), func.count()).where(
            audit.c.what == "restriction.suspend"
        )
        assert tuple(connection.execute(suspended).one()) == (number, number)
        wanted = select(func.count()).where(cards.c.wanted == "suspended")
        assert connection.execute(wanted).scalar_one() == number
        outcomes = select(func.count()).where(act_cards.c.act_id == act.id, act_cards.c.outcome == "done")
        assert connection.execute(outcomes).scalar_one() == act.total
    assert not [found for found in Trail(KEY).verify(store) if isinstance(found, Fault)]


def test_a_worker_that_is_killed_loses_nothing_and_does_nothing_twice(
    store: Store, order_database_url: str
) -> None:
    acts = BulkActionService(book_on(store))
    act = _running(acts, 900)
    kills = 0
    while acts.get(act.id).state is BulkActionState.RUNNING:
        before = acts.get(act.id).done
        worker = _worker(order_database_url)
        try:
            _go(worker)
            end = time.monotonic() + HANG
            while acts.get(act.id).done == before and worker.poll() is None:
                assert time.monotonic() < end
            if kills < 4:
                worker.send_signal(signal.SIGKILL)
                kills += 1
            worker.wait(timeout=HANG)
        finally:
            _end(worker)
        now_is = acts.get(act.id)
        with store.reading() as connection:
            done = select(func.count()).where(act_cards.c.act_id == act.id, act_cards.c.outcome.is_not(None))
            assert connection.execute(done).scalar_one() >= now_is.done > before
    assert kills >= 3, "it was killed while it worked"
    ended = acts.get(act.id)
    assert (ended.state, ended.done, ended.left) == (BulkActionState.DONE, 900, 0)
    _each_once(store, ended, 900)


def test_two_workers_at_once_share_the_acts(store: Store, order_database_url: str) -> None:
    acts = BulkActionService(book_on(store))
    mine, other = _running(acts, 300), _running(acts, 300, first=300)
    workers = [_worker(order_database_url) for _ in range(2)]
    try:
        for worker in workers:
            _go(worker)
        taken = [sum(int(line) for line in worker.communicate(timeout=HANG)[0].split()) for worker in workers]
        assert [worker.returncode for worker in workers] == [0, 0]
    finally:
        _end(*workers)
    while acts.carry_out(NOW):  # whoever met nothing but locked acts went home
        pass
    assert sum(taken) <= 600
    for act in (mine, other):
        ended = acts.get(act.id)
        assert (ended.state, ended.done, ended.skipped) == (BulkActionState.DONE, 300, 0)
    _each_once(store, acts.get(mine.id), 600)


@pytest.mark.long
def test_ten_thousand_cards_and_back(store: Store) -> None:
    acts = BulkActionService(book_on(store))
    act = _running(acts, 10_000)
    began = time.perf_counter()
    while acts.carry_out(NOW):
        pass
    seconds = time.perf_counter() - began
    assert acts.get(act.id).done == 10_000
    assert seconds < HANG, f"{10_000 / seconds:.0f} cards/s"
    _each_once(store, acts.get(act.id), 10_000)
    undo = acts.undo(act.id, DESK, "the wrong list", NOW)
    while acts.carry_out(NOW):
        pass
    assert acts.get(undo.id).done == 10_000
    with store.reading() as connection:
        assert connection.execute(select(func.count()).where(cards.c.wanted != "active")).scalar_one() == 0
