"""Figures of casework: each equals its events to the unit, counts once, and opens to its rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import insert

from duanka.casework.figures import CaseworkFigure, CaseworkFigures, FigureGroup
from duanka.domain.person import Scope
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.casework.clues import clue_cards, clues
from duanka.ledger.db.casework.victims import forgotten_warnings, victim_messages, victim_outcomes
from duanka.ledger.db.database import Store
from support.orders.books import DESK, KEY, NOW, SECOND, card

SINCE, UNTIL = NOW, NOW + timedelta(days=1)
PLACES = (("甲", "石家庄"), ("乙", "石家庄"), ("甲", "保定"))


def clue(store: Store, number: int, cards: list[int], sent: bool = True) -> None:
    with store.writing() as connection:
        facts = dict.fromkeys(("title", "recipient", "digest", "built_by", "seal"), "x")
        moments = {"built_at": NOW, "updated_at": NOW, "sent_at": NOW if sent else None}
        counts = {"cards": len(cards), "confirmed": 0, "state": "draft", "case_id": "C0"}
        connection.execute(insert(clues).values(id=f"L{number}", **facts, **moments, **counts))
        for one in cards:
            operator, city = PLACES[one % 3]
            answer = "confirmed" if one == 0 else None
            row = {
                "operator": operator,
                "city": city,
                "answer": answer,
                "answered_at": NOW if answer else None,
            }
            connection.execute(
                insert(clue_cards).values(clue_id=f"L{number}", card=card(one), standing="x", **row)
            )


def outcome(store: Store, victim: str, what: str, after_hours: int, place: int = 0) -> None:
    operator, city = PLACES[place]
    with store.writing() as connection:
        row = {"victim_id": victim, "at": NOW + timedelta(hours=after_hours), "who": "wang", "outcome": what}
        connection.execute(insert(victim_outcomes).values(**row, operator=operator, city=city))


def test_each_figure_counts_distinct_things_of_the_period_and_opens_to_them(store: Store) -> None:
    clue(store, 1, [0, 1, 2])
    clue(store, 2, [0])
    clue(store, 3, [5], sent=False)
    for victim, what, hours, place in (
        *(("W1", "not_reached", 1, 0), ("W1", "dissuaded", 2, 0), ("W1", "dissuaded", 3, 0)),
        *(("W2", "dissuaded", 4, 1), ("W3", "already_paid", 1, 2), ("W4", "dissuaded", 25, 0)),
    ):
        outcome(store, victim, what, hours, place)
    with store.writing() as connection:
        for day, victim in ((1, "W1"), (2, "W1"), (1, "W2")):
            row = {
                "victim_id": victim,
                "number": f"861390000000{victim[1]}",
                "kind": "warning",
                "card": card(0),
            }
            row |= {"occasion": str(day), "body": "x", "operator": "甲", "city": "石家庄", "outcome": "sent"}
            moments = dict.fromkeys(("created_at", "next_try_at", "sent_at"), NOW)
            connection.execute(insert(victim_messages).values(**row, **moments))
        gone = {"hour": NOW, "kind": "warning", "outcome": "delivered", "operator": "乙", "city": "保定"}
        connection.execute(insert(forgotten_warnings).values(**gone, count=5))
        connection.execute(insert(forgotten_warnings).values(**{**gone, "kind": "correction"}, count=9))
    figures = CaseworkFigures(store, Trail(KEY))
    counted = {one.figure.value: one.count for one in figures.counts(SINCE, UNTIL, SECOND)}
    assert counted == {
        "clues_sent": 2,
        "cards_in_clues": 3,
        "cards_confirmed": 1,
        "victims_warned": 2 + 5,
        "victims_dissuaded": 2,
        "victims_paid": 1,
    }
    by_operator = figures.counts(SINCE, UNTIL, SECOND, FigureGroup.OPERATOR)
    sent = {one.group: one.count for one in by_operator if one.figure is CaseworkFigure.CLUES_SENT}
    assert sent == {None: 2, "甲": 2, "乙": 1}
    warned = {one.group: one.count for one in by_operator if one.figure is CaseworkFigure.VICTIMS_WARNED}
    assert warned == {None: 7, "甲": 2, "乙": 5}
    near = replace(DESK, scope=Scope(operators=frozenset({"乙"})))
    assert {one.figure.value: one.count for one in figures.counts(SINCE, UNTIL, near)} == {
        "clues_sent": 1,
        "cards_in_clues": 1,
        "cards_confirmed": 0,
        "victims_warned": 5,
        "victims_dissuaded": 1,
        "victims_paid": 0,
    }
    for figure in CaseworkFigure:
        listed, following = figures.rows(figure, SINCE, UNTIL, SECOND, NOW)
        assert following is None
        forgotten = 5 if figure is CaseworkFigure.VICTIMS_WARNED else 0
        assert len(listed) == counted[figure.value] - forgotten, figure
    cards, more = figures.rows(CaseworkFigure.CARDS_IN_CLUES, SINCE, UNTIL, SECOND, NOW, limit=2)
    assert card(0) not in str(cards)
    rest, end = figures.rows(CaseworkFigure.CARDS_IN_CLUES, SINCE, UNTIL, SECOND, NOW, more or 0, 2)
    assert (len(cards), len(rest), end) == (2, 1, None)
