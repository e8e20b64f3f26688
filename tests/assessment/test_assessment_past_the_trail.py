"""Runs and listings that were changed, put in or removed by SQL show: figures, candidates, notices, evidence."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Column, Float, Integer, Table, delete, insert, select, update
from sqlalchemy.types import TypeEngine

from duanka.assessment.listing.service import UnitListings
from duanka.domain.listing import ListingEvent
from duanka.domain.order import Person, Role
from duanka.ledger.audit.row_digests import LISTINGS, RUNS
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.assessment.listings import (
    assessment_candidates,
    assessment_figures,
    assessment_runs,
    listing_steps,
    listings,
)
from duanka.ledger.db.columns import UtcMicroseconds
from duanka.ledger.db.database import Store
from support.api.asking import on_sqlite_alone
from support.assessment.shops import CHECK, LATER, LI, both, runs_on
from support.orders.books import KEY, told_once

CHEN, WANG = Person("chen", Role.SUPERVISOR), Person("wang", Role.DESK)
# Table, the column with the run or listing that its rows belong to, and what of that the trail has a digest of.
OF = {
    assessment_runs: ("id", ""),
    assessment_figures: ("run_id", "figures"),
    assessment_candidates: ("run_id", "candidates"),
    listings: ("id", ""),
    listing_steps: ("listing_id", "steps"),
}
TABLES = pytest.mark.parametrize("table", OF, ids=lambda table: table.name)


def faults(store: Store) -> list[str]:
    """What was done past the trail, but for the cards whose confirmation the shops invent."""
    found = [one.what for one in Trail(KEY).verify(store) if isinstance(one, Fault)]
    return [one for one in found if not one.startswith("confirmations ")]


def _the_stall_is_listed(store: Store) -> None:
    runs = runs_on(store)
    service = UnitListings(runs)
    made = service.propose(both(runs), CHECK, LI, "the stall again", LATER)
    service.move(made.id, ListingEvent.APPROVE, CHEN, "seen", LATER)
    service.move(made.id, ListingEvent.FILE_EVIDENCE, WANG, "closed for good", LATER + timedelta(days=1))
    assert faults(store) == []


@pytest.fixture
def told(store: Store) -> Store:
    """Two runs, a candidate, and a listing with three steps."""
    told_once(store, _the_stall_is_listed)
    return store


def _other(column: Column[object], value: object) -> object:
    kind: TypeEngine[object] = column.type
    if isinstance(kind, UtcMicroseconds):
        return value + timedelta(microseconds=1) if value else LATER  # type: ignore[operator]
    if isinstance(kind, Integer | Float):
        return (value or 0) + 1_000  # type: ignore[operator]
    return f"{value or ''}x"[-(getattr(kind, "length", None) or 99_999) :]


def _row(store: Store, table: Table) -> dict[str, object]:
    with store.reading() as connection:
        found = select(table).order_by(*table.primary_key.columns).limit(1)
        return dict(connection.execute(found).mappings().one())


@on_sqlite_alone  # which column it was is seen alike; the next tests are on both
@TABLES
def test_every_changed_column_of_a_row_is_named_with_its_run_or_listing(told: Store, table: Table) -> None:
    row, (of, part) = _row(told, table), OF[table]
    whole = assessment_runs if of == "run_id" or table is assessment_runs else listings
    keys = [column.name for column in table.primary_key.columns]
    for column in table.columns:
        other = _other(column, row[column.name])
        assert other != row[column.name]
        now_is = {**row, column.name: other}
        with told.writing() as connection:
            same = [table.c[key] == row[key] for key in keys]
            connection.execute(update(table).where(*same).values({column.name: other}))
        found = faults(told)
        if column.name == of and not part:
            assert {
                f"{table.name} {row[of]} was removed past the trail",
                f"{table.name} {other} is not in the trail: it was put in past it",
            } <= set(found), column
        else:
            changed = f"{whole.name} {row[of]} was changed past the trail: "
            (said,) = [one.removeprefix(changed) for one in found if one.startswith(changed)]
            assert (part or column.name) in said.split(", "), column
        with told.writing() as connection:
            same = [table.c[key] == now_is[key] for key in keys]
            connection.execute(update(table).where(*same).values({column.name: row[column.name]}))
    assert faults(told) == []


@TABLES
def test_a_row_that_was_removed_or_put_in_is_named(told: Store, table: Table) -> None:
    row, (of, part) = _row(told, table), OF[table]
    whole = RUNS if of == "run_id" or table is assessment_runs else LISTINGS
    keys = [column.name for column in table.primary_key.columns]
    with told.writing() as connection:
        connection.execute(delete(table).where(*(table.c[key] == row[key] for key in keys)))
    about = f"{whole.table.name} {row[of]} was "
    expected = f"{about}changed past the trail: {part}" if part else f"{about}removed past the trail"
    assert expected in faults(told)
    key = table.columns[keys[-1]]
    put_in = {**row, key.name: _other(key, row[key.name])}
    with told.writing() as connection:
        connection.execute(insert(table).values(row))
    assert faults(told) == [], "put back as it was"
    with told.writing() as connection:
        if table is listings:  # a unit is listed once at a time
            put_in["closed_at"] = LATER
        connection.execute(insert(table).values(put_in))
    stranger = f"{table.name} {put_in[of]} is not in the trail: it was put in past it"
    assert faults(told) == [f"{about}changed past the trail: {part}" if part else stranger]


@pytest.mark.parametrize(
    ("table", "of"),
    [
        (assessment_figures, "assessment figures Y9"),
        (assessment_candidates, "assessment candidates Y9"),
        (listing_steps, "listing steps Y9"),
    ],
    ids=lambda one: getattr(one, "name", one),
)
def test_rows_of_a_run_or_listing_that_is_not_there_are_named(told: Store, table: Table, of: str) -> None:
    row = _row(told, table)
    name = OF[table][0]
    if "id" in row:
        row["id"] = 1_000
    with told.writing() as connection:
        connection.execute(insert(table).values({**row, name: "Y9"}))
    (found,) = faults(told)
    assert found.startswith(of)


def test_what_was_changed_past_the_trail_is_named_also_after_the_next_step(told: Store) -> None:
    number = str(_row(told, listings)["id"])
    with told.writing() as connection:
        connection.execute(update(listings).values(term_days=3_000))
        connection.execute(update(listing_steps).where(listing_steps.c.event == "propose").values(who="chen"))
    UnitListings(runs_on(told)).move(number, ListingEvent.FIND_MENDED, LI, "seen", LATER + timedelta(days=2))
    (found,) = faults(told)
    assert found == f"before this row listings {number} was changed past the trail: steps, term_days"
