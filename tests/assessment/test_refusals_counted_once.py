"""A refusal counts once, however often and however late it is delivered, wherever a kill comes."""

from __future__ import annotations

import shutil
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from duanka.assessment.figures.service import HeadlineQueries
from duanka.domain.headline import Certainty, FigurePlace, FigureSplit, HeadlineCount, HeadlineFigure
from duanka.domain.local_time import DEFAULT_ZONE
from duanka.domain.network import Carried, RefusalReason
from duanka.domain.order import OrderError, PermissionDenied, Person, Role
from duanka.domain.person import Scope
from duanka.domain.store_policy import StorePolicy
from duanka.engine.store.record_store import RecordStore
from duanka.engine.store.refusal_archive import StoredRefusals
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.assessment.figures import refusal_losses
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import positions, refusals
from duanka.network.refusal_store import RefusedFile
from duanka.network.sip.element import REFUSED, CallProxy
from duanka.orders.monitoring import old_refusals
from duanka.orders.monitoring.old_refusals import OldRefusals
from duanka.orders.monitoring.refusals import RefusalCollector
from support.assessment.killing import Killed, Steps, killed
from support.orders.books import DESK, HOUR, KEY, NOW, book_on, card, demand, receive

pytestmark = pytest.mark.requirement("R12")
DAY = 24 * HOUR
LATER = NOW + 3 * DAY
MANY = 40
CALLS = HeadlineFigure.CALLS
REGULATOR = Person("reg", Role.REGULATOR)


class Town:
    """An order database, a store of records, and the refusal file of a call proxy."""

    def __init__(self, store: Store, folder: Path, *, is_new: bool = True) -> None:
        self.store, self.folder, self.records = store, folder, folder / "records"
        self.archive: StoredRefusals | None = StoredRefusals(self.records)
        self.file = RefusedFile(folder / REFUSED, "call_proxy", Carried.CALL)
        if not is_new:
            return
        with RecordStore(self.records, zone=DEFAULT_ZONE).writing(datetime(2026, 3, 1)) as writer:  # local
            writer.commit()
        self.file.make()
        places = {0: ("甲", "石家庄"), 1: ("乙", "保定")}
        receive(book_on(store), [demand(n, operator=o, city=c) for n, (o, c) in places.items()], NOW)

    def refuse(self, numbers: range, began: datetime = NOW) -> None:
        """One refused call an hour, of three cards in turn."""
        self.file.add(
            (
                f"k{n}",
                (began + n * HOUR).timestamp(),
                card(n % 3),
                "95588",
                RefusalReason.BLOCKED_SENDER.value,
                "",
            )
            for n in numbers
        )

    def collect(self, now: datetime = LATER) -> None:
        proxy = CallProxy(self.folder)
        try:
            while RefusalCollector(self.store, proxy, archive=lambda: self.archive).read(now):
                pass
        finally:
            proxy.close()

    def move(self, now: datetime = LATER) -> None:
        while OldRefusals(self.store, lambda: self.archive).move(now):
            pass

    def deliver_again(self, copy: Path) -> None:
        """The proxy's file is put back from a copy, and nobody remembers what was read of it."""
        shutil.copy(copy, self.folder / REFUSED)
        with self.store.writing() as connection:
            connection.execute(delete(positions).where(positions.c.source == "refusals:call_proxy"))

    @property
    def figures(self) -> HeadlineQueries:
        return HeadlineQueries(self.store, Trail(KEY), lambda: self.archive)

    def counts(
        self, split: FigureSplit | None = None, by: Person = REGULATOR
    ) -> dict[str | None, HeadlineCount]:
        found = self.figures.counts(NOW, LATER, by, LATER, split).counts
        return {one.group: one for one in found if one.figure is CALLS}

    def keys(self, limit: int = 7) -> list[str]:
        """What lies behind the figure, page by page, by time."""
        listed, after = list[str](), ""
        while True:
            page = self.figures.rows(CALLS, NOW, LATER, DESK, LATER, after, limit)
            listed += [f"k{(row.at - NOW) // HOUR}" for row in page.items]
            if not (after := page.next or ""):
                return listed


@pytest.fixture
def town(store: Store, tmp_path: Path) -> Town:
    return Town(store, tmp_path)


ALL = [f"k{n}" for n in range(MANY)]


def test_what_is_delivered_again_late_counts_once_and_opens_to_its_rows(town: Town) -> None:
    town.refuse(range(MANY))
    copy = town.folder / "copy"
    shutil.copy(town.folder / REFUSED, copy)
    town.collect()
    for _ in range(2):
        assert {name: one.count for name, one in town.counts(FigureSplit.OPERATOR).items()} == {
            None: MANY,
            "甲": 14,
            "乙": 13,
            "": 13,
        }
        assert town.counts()[None].certainty is Certainty.EXACT
        assert town.keys() == ALL
        town.move()
        with town.store.reading() as connection:
            assert connection.execute(select(refusals)).first() is None, "all of them are in the store"
        assert town.keys() == ALL
        town.deliver_again(copy)
        town.collect()
    there = FigurePlace("乙", "保定")
    assert town.figures.counts(NOW, LATER, REGULATOR, LATER, place=there).counts[0].count == 13
    rows = town.figures.rows(CALLS, NOW, LATER, DESK, LATER, place=there).items
    assert [row.city for row in rows] == ["保定"] * 13
    for place, named in (
        (FigurePlace("丙"), "operator: 丙.*乙, 甲"),
        (FigurePlace(city="130199"), "city: 130199.*保定"),
    ):
        with pytest.raises(OrderError, match=named):
            town.figures.counts(NOW, LATER, REGULATOR, LATER, place=place)
        with pytest.raises(OrderError, match=named):
            town.figures.rows(CALLS, NOW, LATER, DESK, LATER, place=place)
    nowhere = FigurePlace("", "")
    assert len(town.figures.rows(CALLS, NOW, LATER, DESK, LATER, place=nowhere).items) == 13
    of_one = Person("wang", Role.DESK, scope=Scope(cities=frozenset({"保定"})))
    assert town.counts(by=of_one)[None].count == 13
    page = town.figures.rows(CALLS, NOW, LATER, of_one, LATER)
    assert [row.city for row in page.items] == ["保定"] * 13
    assert {row.about for row in page.items} == {"+86 130****0001"}
    with pytest.raises(PermissionDenied, match="out of the scope"):
        town.figures.counts(NOW, LATER, of_one, LATER, place=FigurePlace("乙", "石家庄"))


def test_a_kill_between_any_two_steps_counts_none_twice_and_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(old_refusals, "_DELETED_AT_ONCE", 20)
    first = tmp_path / "first"
    first.mkdir()
    begun = Store(f"sqlite:///{first / 'orders.sqlite'}")
    Town(begun, first).refuse(range(MANY))
    begun.close()
    shutil.copy(first / REFUSED, first / "copy")
    tried, more = 0, True
    while more:
        tried += 1
        folder = shutil.copytree(first, tmp_path / str(tried))
        more = _killed_at(Steps(tried), folder, monkeypatch)
    assert tried > 12, "collecting, moving, and both again are so many steps"


def _killed_at(steps: Steps, folder: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Everything until the kill and again behind it; whether there was a kill."""
    store = Store(f"sqlite:///{folder / 'orders.sqlite'}")
    town, copy = Town(store, folder, is_new=False), folder / "copy"
    was_killed = False
    with killed(steps, monkeypatch):
        try:
            town.collect()
            town.move()
            town.deliver_again(copy)
            town.collect()
            town.move()
        except Killed:
            was_killed = True
    town.collect()  # what was left comes first after the start, and then all of it again
    town.deliver_again(copy)
    town.collect()
    assert town.counts()[None].count == MANY, steps
    town.move()
    assert (town.counts()[None].count, town.keys(MANY)) == (MANY, ALL), steps
    store.close()
    return was_killed


def test_one_of_a_purged_day_cannot_be_told_from_a_repeat_and_makes_it_at_least(town: Town) -> None:
    town.refuse(range(MANY))
    copy = town.folder / "copy"
    shutil.copy(town.folder / REFUSED, copy)
    town.collect()
    town.move()
    with RecordStore(town.records, zone=DEFAULT_ZONE).writing(datetime(2026, 3, 5)) as writer:
        writer.purge(date(2026, 3, 5), StorePolicy(keep_refusals_days=2))
        writer.commit()
    for _ in range(2):
        town.deliver_again(copy)
        town.collect()
        found = town.counts()[None]
        assert (found.count, found.certainty, found.losses) == (MANY, Certainty.AT_LEAST, 8)
    town.archive = None  # the store was detached: nobody can say either
    town.deliver_again(copy)
    town.collect()
    assert town.counts()[None].count == MANY


def test_late_ones_that_nobody_had_count(town: Town) -> None:
    town.refuse(range(10))
    town.collect()
    town.move()
    town.refuse(range(10, 30))  # the worker was down for a day and more
    town.collect()
    assert town.counts()[None].count == 30
    town.move()
    assert town.keys() == ALL[:30]
    assert town.counts()[None].certainty is Certainty.EXACT


def test_what_is_known_to_be_lost_makes_it_at_least_and_counts_once(town: Town) -> None:
    town.refuse(range(5))
    town.collect(NOW + 5 * HOUR)
    with open(town.folder / REFUSED, "r+b") as file:
        file.truncate(0)
        file.write(b"no database at all" * 400)
    for path in town.folder.glob(f"{REFUSED}-*"):
        path.unlink()
    town.refuse(range(6, 9))  # the file is made anew, and says what it lost
    for _ in range(2):
        town.collect(NOW + 10 * HOUR)
    found = town.counts()[None]
    assert (found.count, found.certainty) == (8, Certainty.AT_LEAST)
    with town.store.reading() as connection:
        of = refusal_losses.c
        lost = connection.execute(select(of.why, of.since, of.until, of.count)).all()
    assert {tuple(one) for one in lost} == {
        ("damaged", NOW + 5 * HOUR, NOW + 10 * HOUR, None),
        ("file_replaced", NOW + 5 * HOUR, NOW + 10 * HOUR, None),
    }
    assert not CallProxy(town.folder).losses()
    begun = town.figures.counts(NOW, NOW + 6 * HOUR, REGULATOR, LATER).counts[0]
    assert (begun.count, begun.certainty) == (5, Certainty.AT_LEAST), "the loss begins with the last read"
    before = town.figures.counts(NOW, NOW + 5 * HOUR, REGULATOR, LATER).counts[0]
    assert (before.count, before.certainty) == (5, Certainty.EXACT)


def test_what_was_not_measured_is_unknown_and_a_part_is_told(town: Town) -> None:
    def told(since: datetime, until: datetime, now: datetime) -> tuple[int | None, Certainty, float]:
        found = town.figures.counts(since, until, REGULATOR, now).counts[0]
        return found.count, found.certainty, found.covered

    assert told(NOW, NOW + HOUR, NOW + HOUR) == (None, Certainty.UNKNOWN, 0.0)
    town.collect(NOW + 2 * HOUR)
    assert told(NOW, NOW + HOUR, NOW + 2 * HOUR)[:2] == (None, Certainty.UNKNOWN)
    assert told(NOW, NOW + 4 * HOUR, NOW + 4 * HOUR) == (None, Certainty.UNKNOWN, 0.0)
    town.collect(NOW + 3 * HOUR)
    assert told(NOW, NOW + 4 * HOUR, NOW + 4 * HOUR) == (0, Certainty.AT_LEAST, 0.25)
    assert told(NOW + 2 * HOUR, NOW + 3 * HOUR, NOW + 4 * HOUR) == (0, Certainty.EXACT, 1.0)
    assert told(NOW + 3 * HOUR, NOW + 5 * HOUR, NOW + 5 * HOUR)[1] is Certainty.UNKNOWN, "the worker is down"
    town.refuse(range(4, 5))
    town.collect(NOW + 5 * HOUR)  # it caught up: the file kept what came meanwhile
    assert told(NOW + 3 * HOUR, NOW + 5 * HOUR, NOW + 5 * HOUR) == (1, Certainty.EXACT, 1.0)
    now = NOW + 5 * HOUR + timedelta(seconds=40)
    assert told(NOW + 5 * HOUR, NOW + 6 * HOUR, now) == (0, Certainty.EXACT, 1.0), "it was read just now"
