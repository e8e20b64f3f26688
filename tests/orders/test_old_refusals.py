"""Refusals that are a day old go into the store of records: none lost, none counted twice, whatever crashes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from duanka.application.enforcement_worker import ARCHIVE, Enforcement, duties
from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.orders import OrderDesk
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.local_time import DEFAULT_ZONE
from duanka.domain.network import Carried, Refusal, RefusalReason
from duanka.domain.order import SYSTEM, Person, Role
from duanka.domain.person import Scope
from duanka.domain.store_policy import StorePolicy
from duanka.engine.store.record_store import RecordStore
from duanka.engine.store.refusal_archive import StoredRefusals
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import refusals
from duanka.orders.monitoring import old_refusals
from duanka.orders.monitoring.old_refusals import OldRefusals
from duanka.orders.monitoring.refusals import RefusalCollector
from duanka.orders.queries.service import OrderQueries, ViewerContext
from support.orders.books import DESK, HOUR, KEY, NOW, book_on, card, demand, receive
from support.refusal_sources import LosesNothing

pytestmark = [pytest.mark.requirement("R7.1"), pytest.mark.requirement("R7.2")]
DAY = 24 * HOUR
LATER = NOW + 4 * DAY  # the refusals are of the two days and some hours after NOW
MANY = 60


@dataclass
class Source(LosesNothing):
    """Tells all of it, again and again."""

    rows: Sequence[Refusal]
    name: str = "call_proxy"

    def refusals(self, after: int, limit: int) -> tuple[Sequence[Refusal], int]:
        return self.rows[after : after + limit], min(after + limit, len(self.rows))

    def forget(self, before: int) -> None:
        """It has nothing to forget."""


class Killed(Exception):
    """As if the process ended here."""


@pytest.fixture
def archive(tmp_path: Path) -> StoredRefusals:
    with RecordStore(tmp_path / "records").writing(datetime(2026, 3, 1)) as writer:  # local
        writer.commit()
    return StoredRefusals(tmp_path / "records")


@pytest.fixture
def recorded(store: Store) -> Store:
    """One refused call an hour, of three cards in turn; every tenth is of a message with a pseudonym."""
    receive(book_on(store), [demand(0, operator="a"), demand(1, operator="b")], NOW)
    text = {"carried": Carried.MESSAGE, "reason": RefusalReason.TEXT, "peer": "opaque-b"}
    rows = [
        Refusal(
            **{
                "element": "call_proxy",
                "key": f"k{number}",
                "at": NOW + number * HOUR,
                "carried": Carried.CALL,
                "card": card(number % 3),
                "peer": "95588",
                "reason": RefusalReason.BLOCKED_SENDER,
                "detail": "why",
                **(text if number % 10 == 0 else {}),
            }  # type: ignore[arg-type]
        )
        for number in range(MANY)
    ]
    RefusalCollector(store, Source(rows)).read(LATER)
    return store


def left(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(refusals)).scalar_one()


def counted(store: Store, since: datetime, until: datetime, by: Person = DESK) -> dict[str, int]:
    found = OrderQueries(store, Trail(KEY)).figures(since, until, by).refused
    return {one.carried: one.count for one in found}


def kept(archive: StoredRefusals, folder: Path) -> dict[Carried, int]:
    found: dict[Carried, int] = {}
    everything = RecordStore(folder).refused(datetime(2026, 1, 1), datetime(2027, 1, 1))
    for (carried, _), number in everything.items():
        found[carried] = found.get(carried, 0) + number
    return found


def test_old_ones_go_into_the_store_and_figures_and_dossiers_say_the_same(
    recorded: Store, archive: StoredRefusals, tmp_path: Path
) -> None:
    of_a = Person("li", Role.SUPERVISOR, scope=Scope(frozenset({"a"})))
    periods = [(NOW, LATER), (NOW, NOW + DAY), (NOW + 30 * HOUR, NOW + 50 * HOUR)]
    figures = [[counted(recorded, *period, by) for period in periods] for by in (DESK, of_a)]
    assert figures[0][0] == {"call": 54, "message": 6}
    assert figures[1][0] == {"call": 18, "message": 2}
    read = OrderQueries(recorded, Trail(KEY), lambda: archive)
    dossier = read.dossier(card(1), ViewerContext(DESK), LATER).refusals
    assert len(dossier) == 20

    now = NOW + 60 * HOUR
    assert not OldRefusals(recorded, lambda: None).move(now), "there is no store"
    assert left(recorded) == MANY
    OldRefusals(recorded, lambda: archive).move(now)
    assert left(recorded) == 26, "those of the last 26 hours stay"
    assert kept(archive, tmp_path / "records") == {Carried.CALL: 30, Carried.MESSAGE: 4}
    assert [[counted(recorded, *period, by) for period in periods] for by in (DESK, of_a)] == figures
    assert read.dossier(card(1), ViewerContext(DESK), LATER).refusals == dossier
    (latest, *_) = archive.of_card(card(0), 1)
    assert (latest.at, latest.peer, latest.key) == (NOW + 33 * HOUR, "95588", "k33")
    assert "opaque-b" in {one.peer for one in archive.of_card(card(0), 100)}

    with RecordStore(tmp_path / "records", zone=DEFAULT_ZONE).writing(datetime(2026, 3, 9)) as writer:
        writer.purge(date(2026, 3, 9), StorePolicy(keep_refusals_days=2))
        writer.commit()
    assert len(read.dossier(card(1), ViewerContext(DESK), LATER).refusals) == 9, "purged for good"
    assert [counted(recorded, *period) for period in periods] == figures[0], "numbers stay"


@pytest.mark.parametrize("moment", ["before the store", "behind the store", "among the rows"])
def test_a_kill_loses_none_and_counts_none_twice(
    recorded: Store,
    archive: StoredRefusals,
    tmp_path: Path,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(old_refusals, "_DELETED_AT_ONCE", 7)
    settled, done = old_refusals._settle, list[object]()

    class Dying(StoredRefusals):
        def keep(self, rows: Sequence[Refusal], now: datetime) -> Sequence[Refusal]:
            if moment == "before the store":
                raise Killed
            found = super().keep(rows, now)
            if moment == "behind the store":
                raise Killed
            return found

    def settle(part: tuple[str, list[str]], connection: object) -> None:
        if len(done) == 3:
            raise Killed
        done.append(part)
        settled(part, connection)  # type: ignore[arg-type]

    if moment == "among the rows":
        monkeypatch.setattr(old_refusals, "_settle", settle)
    with pytest.raises(Killed):
        OldRefusals(recorded, lambda: Dying(tmp_path / "records")).move(LATER)
    monkeypatch.setattr(old_refusals, "_settle", settled)
    OldRefusals(recorded, lambda: archive).move(LATER)
    assert left(recorded) == 0
    assert kept(archive, tmp_path / "records") == {Carried.CALL: 54, Carried.MESSAGE: 6}
    assert counted(recorded, NOW, LATER) == {"call": 54, "message": 6}


def test_while_others_write_to_the_store_they_wait_here(
    recorded: Store, archive: StoredRefusals, tmp_path: Path
) -> None:
    move = OldRefusals(recorded, lambda: archive).move
    with RecordStore(tmp_path / "records").writing(datetime(2026, 3, 6)):
        assert not move(LATER)
    assert left(recorded) == MANY
    move(LATER)
    assert left(recorded) == 0


def test_a_few_wait_an_hour_for_others(recorded: Store, archive: StoredRefusals) -> None:
    move = OldRefusals(recorded, lambda: archive).move
    move(NOW + old_refusals.KEPT_HERE + timedelta(minutes=59))
    assert left(recorded) == MANY
    move(NOW + old_refusals.KEPT_HERE + timedelta(minutes=61))
    assert left(recorded) == MANY - 2


def test_a_store_that_is_damaged_keeps_nobody_from_the_orders(
    recorded: Store, archive: StoredRefusals, tmp_path: Path
) -> None:
    OldRefusals(recorded, lambda: archive).move(NOW + 60 * HOUR)
    for path in (tmp_path / "records" / "refusals").rglob("*.parquet"):
        path.unlink()
    read = OrderQueries(recorded, Trail(KEY), lambda: archive)
    assert len(read.dossier(card(1), ViewerContext(DESK), LATER).refusals) == 9


def test_only_the_store_of_this_order_database_takes_them(archive: StoredRefusals, tmp_path: Path) -> None:
    del archive  # the store is there
    for number, folder in enumerate(("orders", "others")):
        settings = Settings(orders=tmp_path / folder, store=tmp_path / "records")
        with app_orders.desk(settings, policy_named("national"), create=True) as here:
            assert here.attached_store.archive() is None, "it is attached to none, or to another one"
            if number == 0:
                here.attached_store.write_mark(SYSTEM, NOW)
                assert here.attached_store.archive() is not None
                (moving,) = [duty for duty in duties(_parts(here)) if duty.name == ARCHIVE]
                assert not moving.work(LATER), "there are no refusals yet"


def _parts(here: OrderDesk) -> Enforcement:
    """A worker that has nothing to do but this."""
    move = OldRefusals(here.store, here.attached_store.archive).move
    return Enforcement(
        sweep=lambda *_: 0,
        carry_out=lambda _: None,
        elements={},
        look=lambda _: (),
        clock=lambda: LATER,
        ticks=time.monotonic,
        say=lambda _: None,
        move_refusals=move,
    )
