"""Whose signature of police cases counts: two people register it, one removes it, and the database alone adds none."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select, update

from duanka.domain.case_source import CaseSource
from duanka.domain.order import (
    NeedsSecondPerson,
    NoSuchTransition,
    OrderError,
    PermissionDenied,
    Person,
    Role,
    UnknownOrder,
)
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables_people import case_sources
from duanka.ledger.people.case_sources import CaseSources
from support.orders.books import DESK, KEY, NOW, SECOND

THIRD = Person("sun", Role.SUPERVISOR)
BUREAU, OTHER = bytes(range(32)), bytes(range(1, 33))


def _sources(store: Store) -> CaseSources:
    return CaseSources(store, Trail(KEY), b"k" * 32)


def test_it_takes_two_supervisors_to_let_a_signature_count(store: Store) -> None:
    sources = _sources(store)
    with pytest.raises(PermissionDenied):
        sources.propose("bureau", BUREAU, DESK, NOW)
    number = sources.propose("bureau", BUREAU, SECOND, NOW)
    assert sources.in_force() == ()
    with pytest.raises(NeedsSecondPerson):
        sources.approve(number, SECOND, "mine", NOW)
    with pytest.raises(PermissionDenied):
        sources.approve(number, Person("gong", Role.POLICE), "mine", NOW)
    with pytest.raises(OrderError, match="say why"):
        sources.approve(number, THIRD, " ", NOW)
    assert sources.approve(number, THIRD, "called them back", NOW) == CaseSource("bureau", BUREAU)
    assert sources.in_force() == (CaseSource("bureau", BUREAU),)
    with pytest.raises(NoSuchTransition):
        sources.approve(number, THIRD, "again", NOW)


def test_a_source_is_removed_by_one_and_may_come_back_by_two(store: Store) -> None:
    sources = _sources(store)
    sources.approve(sources.propose("bureau", BUREAU, SECOND, NOW), THIRD, "so it is", NOW)
    for name, key in (("bureau", OTHER), ("else", BUREAU)):
        with pytest.raises(OrderError, match="already"):
            sources.propose(name, key, SECOND, NOW)
    sources.remove("bureau", SECOND, "their key was stolen", NOW)
    assert sources.in_force() == ()
    with pytest.raises(NoSuchTransition):
        sources.approve("bureau", THIRD, "once more", NOW)
    number = sources.propose("bureau", OTHER, SECOND, NOW)
    sources.approve(number, THIRD, "a new key", NOW)
    assert sources.in_force() == (CaseSource("bureau", OTHER),)
    with pytest.raises(UnknownOrder):
        sources.remove("nobody", SECOND, "why", NOW)


@pytest.mark.parametrize("forged", ["row", "approved", "key", "revived"])
def test_what_is_written_into_the_database_alone_is_no_source(store: Store, forged: str) -> None:
    sources = _sources(store)
    number = sources.propose("bureau", BUREAU, SECOND, NOW)
    if forged != "approved":
        sources.approve(number, THIRD, "so it is", NOW)
    if forged == "revived":
        sources.remove(number, SECOND, "stolen", NOW)
    mine = update(case_sources).where(case_sources.c.id == number)
    with store.writing() as connection:
        row = dict(connection.execute(select(case_sources)).mappings().one())
        match forged:
            case "row":
                other = {**row, "id": "S2", "name": "mine", "public_key": OTHER.hex()}
                connection.execute(insert(case_sources).values(other))
            case "approved":
                connection.execute(mine.values(approved_by="sun"))
            case "key":
                connection.execute(mine.values(public_key=OTHER.hex()))
            case "revived":
                connection.execute(mine.values(removed_at=None))
    assert sources.in_force() == ((CaseSource("bureau", BUREAU),) if forged == "row" else ())


@pytest.mark.parametrize(
    ("name", "key"), [("", BUREAU), ("a b", BUREAU), ("bureau", BUREAU[:-1]), ("bureau", b"")]
)
def test_what_is_no_name_or_key_is_refused(store: Store, name: str, key: bytes) -> None:
    with pytest.raises(OrderError):
        _sources(store).propose(name, key, SECOND, NOW)
