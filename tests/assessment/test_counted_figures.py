"""Figures of distinct things equal an independent count, over any period, operator and city."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from duanka.assessment.figures.service import HeadlineQueries
from duanka.domain.authority import Permission
from duanka.domain.headline import Certainty, FigureSplit, HeadlineFigure
from duanka.domain.order import Event, OrderError, PermissionDenied, Person, Role
from duanka.domain.person import Scope
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.figures.calendar import CountedPeriod
from duanka.ledger.figures.counted import CountedEvents
from duanka.ledger.figures.distinct import distinct
from duanka.orders.bulk_actions.service import BulkActionService
from support.assessment.histories import Ended, count, dissuaded, ended, sent
from support.orders.books import DESK, HOUR, KEY, NOW, SECOND, book_on, card, demand, receive

pytestmark = pytest.mark.requirement("R12")
PLACES = [(operator, city) for operator in ("甲", "乙") for city in ("石家庄", "保定", "")]
DAYS = 100
NUMBERS, CLUES, DISSUADED = HeadlineFigure.NUMBERS, HeadlineFigure.CLUES, HeadlineFigure.DISSUADED
REGULATOR = Person("reg", Role.REGULATOR)


def figures_of(store: Store) -> HeadlineQueries:
    return HeadlineQueries(store, Trail(KEY))


def test_a_card_counts_once_in_any_period_whatever_was_before_or_behind_it(store: Store) -> None:
    lot = random.Random(5)
    home = [lot.choice(PLACES) for _ in range(120)]
    events = list[Ended]()
    for _ in range(700):
        number = lot.randrange(len(home))
        place = lot.choice(PLACES) if number % 10 == 0 else home[number]  # every tenth card moves about
        at = NOW + timedelta(seconds=lot.randrange(DAYS * 86_400 // 600) * 600)
        events.append(Ended(number, at, place))
    counting = CountedEvents(store)
    for begin in range(
        0, len(events), 100
    ):  # not in order of time: what is counted later may have been earlier
        ended(store, events[begin : begin + 100], begin)
        while counting.follow(30):
            pass
    assert counting.behind() == 0
    told = [(card(one.number), one.at, one.place) for one in events]
    scopes = [Scope(), Scope(operators=frozenset({"甲"})), Scope(cities=frozenset({"石家庄", "保定"}))]
    with store.reading() as connection:
        for number in range(120):
            since = NOW + timedelta(minutes=lot.randrange(DAYS * 1440))
            until = since + timedelta(minutes=lot.randrange(1, DAYS * 1440 >> (number % 6)))
            if number % 3 == 0:  # whole days
                since, until = (
                    at - timedelta(hours=at.hour - 16, minutes=at.minute) for at in (since, until)
                )
            if since >= until:
                continue
            scope = scopes[number % 3]
            by = Person("reg", Role.REGULATOR, scope=scope)
            for group, name in ((None, None), (0, "operator"), (1, "city")):
                expected = count(told, since, until, scope, group)
                assert distinct(connection, NUMBERS, CountedPeriod.of(since, until), by, name) == expected


def test_an_act_that_was_undone_takes_back_what_it_counted(store: Store) -> None:
    book = book_on(store)
    doing, figures, why = (
        BulkActionService(book),
        figures_of(store),
        BilingualText("清单有误", "the wrong list"),
    )
    receive(book, [demand(n, operator="甲", city="石家庄") for n in (0, 1)], NOW)

    def handled() -> tuple[int | None, int]:
        found = figures.counts(NOW - HOUR, NOW + 9 * HOUR, REGULATOR, NOW + 9 * HOUR)
        rows = figures.rows(NUMBERS, NOW - HOUR, NOW + 9 * HOUR, DESK, NOW + 9 * HOUR).items
        return next(one.count for one in found.counts if one.figure is NUMBERS), len(rows)

    mistake = doing.propose(Event.SUSPEND, [card(0), card(1)], why, DESK, NOW)
    doing.approve(mistake.id, SECOND, "fine", NOW)
    doing.carry_out(NOW)
    assert handled() == (2, 2)
    doing.undo(mistake.id, DESK, "the wrong list", NOW + HOUR)
    assert handled() == (0, 0)
    again = doing.propose(Event.SUSPEND, [card(0)], why, DESK, NOW + 2 * HOUR)
    doing.approve(again.id, SECOND, "this time for good", NOW + 2 * HOUR)
    doing.carry_out(NOW + 2 * HOUR)
    assert handled() == (1, 1)


def test_clues_and_victims_count_once_and_open_to_their_rows(store: Store) -> None:
    here, there = PLACES[0], PLACES[4]
    sent(store, "L1", NOW, [here, there])
    sent(store, "L2", NOW + 30 * HOUR, [here])
    for victim, hours, what in (
        *(("W1", 1, "dissuaded"), ("W1", 2, "dissuaded"), ("W2", 3, "refused"), ("W1", 40, "dissuaded")),
        ("W3", 41, "dissuaded"),
    ):
        dissuaded(store, victim, NOW + hours * HOUR, there, what)
    figures, until = figures_of(store), NOW + 60 * HOUR
    found = figures.counts(NOW, until, REGULATOR, until, FigureSplit.OPERATOR).counts
    by = {(one.figure, one.group): one.count for one in found if one.figure in (CLUES, DISSUADED)}
    assert by == {
        (CLUES, None): 2,
        (CLUES, "甲"): 2,
        (CLUES, "乙"): 1,
        (DISSUADED, None): 2,
        (DISSUADED, "乙"): 2,
    }
    assert all(one.certainty is Certainty.EXACT for one in found if one.figure in (CLUES, DISSUADED))
    near = Person("li", Role.SUPERVISOR, scope=Scope(operators=frozenset({"乙"})))
    for figure, people, expected in (
        *((CLUES, SECOND, ["L1", "L2"]), (CLUES, near, ["L1"])),
        (DISSUADED, SECOND, ["W1", "W3"]),
    ):
        listed, after = list[str](), ""
        while True:
            page = figures.rows(figure, NOW, until, people, until, after, limit=1)
            listed += [row.about for row in page.items]
            if not (after := page.next or ""):
                break
        assert listed == expected
    months = figures.counts(NOW - 30 * 24 * HOUR, until, REGULATOR, until, FigureSplit.MONTH).counts
    assert [(one.group, one.count, one.certainty) for one in months if one.figure is CLUES] == [
        (None, 2, Certainty.AT_LEAST),
        ("2026-01", None, Certainty.UNKNOWN),
        ("2026-02", None, Certainty.UNKNOWN),
        ("2026-03", 2, Certainty.AT_LEAST),
    ], "nothing was measured before the first clue was built"
    days = figures.counts(until - 72 * HOUR, until, REGULATOR, until, FigureSplit.DAY).counts
    by_day = [(one.group, one.count) for one in days if one.figure is CLUES and one.group]
    assert [day for day, _ in by_day] == sorted({day for day, _ in by_day})
    assert len(by_day) == 4, "two whole days, and a part of one at each end"
    assert sum(count or 0 for _, count in by_day) == 2
    with pytest.raises(OrderError, match="121 rows are more than 120"):
        figures.counts(until - 120 * 24 * HOUR, until, REGULATOR, until, FigureSplit.DAY)


def test_a_regulator_sees_counts_alone_and_rows_stand_in_the_trail(store: Store) -> None:
    ended(store, [Ended(n, NOW, PLACES[0]) for n in range(3)])
    figures = figures_of(store)
    assert REGULATOR.role in Permission.READ_FIGURES.roles
    assert {one.count for one in figures.counts(NOW, NOW + HOUR, REGULATOR, NOW).counts} >= {3}
    for person in (REGULATOR, Person("liaison", Role.POLICE)):
        with pytest.raises(PermissionDenied, match="open a figure"):
            figures.rows(NUMBERS, NOW, NOW + HOUR, person, NOW)
    page = figures.rows(NUMBERS, NOW, NOW + HOUR, DESK, NOW)
    assert [row.about for row in page.items] == ["+86 130****0000", "+86 130****0001", "+86 130****0002"]
    with store.reading() as connection:
        (last,) = connection.exec_driver_sql("SELECT what FROM audit ORDER BY seq DESC LIMIT 1").scalars()
    assert last == "read.figure"
    with pytest.raises(OrderError, match="no such page"):
        figures.rows(NUMBERS, NOW, NOW + HOUR, DESK, NOW, "nonsense")
    with pytest.raises(OrderError, match="end after it begins"):
        figures.counts(NOW, NOW, DESK, NOW)
