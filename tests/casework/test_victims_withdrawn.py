"""What is withdrawn, stopped or too late meanwhile: nothing wrong goes out, and nobody is left with a wrong warning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from duanka.bootstrap.casework.victims import victim_services
from duanka.casework.victims import watches
from duanka.casework.victims.finding import AskedPeriod
from duanka.domain.network import NetworkError, UnknownCard, Unreachable
from duanka.domain.order import PermissionDenied, Person, Role
from duanka.domain.person import Scope
from duanka.domain.record_lookups import Basis, BasisKind
from duanka.engine.store.reading import parties
from duanka.ledger.db.casework.victims import victim_watches, victims
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import alarms
from duanka.ledger.lookups import LookupContext, Reader
from duanka.ledger.unit_of_work.confirmations import ConfirmationSource, confirm, withdraw_answer
from support.casework.victim_centre import DAY, Centre, of_kind, send_all, warned
from support.casework.victim_scene import (
    FELLOW,
    FRAUD,
    HOUR,
    LOCAL,
    MINUTE,
    TWICE,
    WORKED_ON,
    both,
    call,
    registered,
    scene_in,
    world,
)
from support.engine.filled_store import fill
from support.orders.books import DESK, NOW, POLICE

pytestmark = pytest.mark.requirement("R9")
READER = LookupContext(DESK, "the bank asked", Basis(BasisKind.POLICE_NOTICE, "7"))


class Racing:
    """A store of records, during the first search of which something happens."""

    def __init__(self, inner: Any, act: Callable[[], object]) -> None:
        self._inner, self._act = inner, act

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def parties_of(self, *asked: Any) -> Any:
        found = self._inner.parties_of(*asked)
        act, self._act = self._act, lambda: None
        act()
        return found


@pytest.mark.parametrize("how", ["worker", "warn"])
def test_what_is_withdrawn_during_a_search_warns_nobody(store: Store, tmp_path: Path, how: str) -> None:
    scene, centre = scene_in(store, tmp_path), Centre()
    scene.confirm(FRAUD)
    store.transact(
        lambda connection: watches.adopt(connection, watches.unwatched(connection, NOW - DAY, 9, whole=True))
    )

    def meanwhile() -> None:
        scene.release(FRAUD)
        scene.watch("other").work(NOW)

    racing: Any = Racing(scene.records, meanwhile)
    if how == "worker":
        watch = scene.watch()
        watch._source = lambda: racing
        watch.work(NOW)
    else:
        victim_services(scene.search, lambda: racing).finder.warn(
            [FRAUD], READER, NOW, AskedPeriod(until=NOW)
        )
    send_all(scene, centre)
    assert not centre.sent
    assert not scene.rows(victims)


def test_a_warning_is_not_sent_to_who_was_stopped_since_nor_days_late(store: Store, tmp_path: Path) -> None:
    scene, centre = scene_in(store, tmp_path), Centre()
    scene.confirm(FRAUD)
    scene.watch().work(NOW)
    scene.confirm(TWICE, case="the fraud's own")
    send_all(scene, centre, NOW + MINUTE)
    assert [card for card, _ in centre.sent] == [WORKED_ON]
    late, scene = Centre(), scene_in(store, tmp_path / "late")
    store.transact(lambda connection: connection.execute(_waiting_again()))
    send_all(scene, late, NOW + 20 * DAY)
    assert not late.sent


def _waiting_again() -> Any:
    from duanka.ledger.db.casework.victims import victim_messages

    return victim_messages.update().values(done_at=None, outcome=None, next_try_at=NOW)


def test_a_try_that_may_have_arrived_was_the_warning_of_its_day(store: Store, tmp_path: Path) -> None:
    scene, centre = scene_in(store, tmp_path), Centre()
    scene.confirm(FRAUD)
    scene.watch().work(NOW)

    class Lost(Centre):
        def send_many(
            self, notices: Sequence[tuple[str, str]], window: int, seconds: float
        ) -> Sequence[str | NetworkError]:
            super().send_many(notices, window, seconds)
            return [Unreachable("the answer was lost")] * len(notices)

    lost = Lost()
    with pytest.raises(Unreachable):
        scene.dispatcher(lost).work(NOW)
    scene.release(FRAUD, at=NOW + MINUTE)
    scene.watch().work(NOW + 3 * MINUTE)
    send_all(scene, centre, NOW + 3 * MINUTE)
    assert of_kind(centre, "correction") == [WORKED_ON, TWICE]
    scene.confirm(FRAUD, case="again", at=NOW + 5 * MINUTE)
    scene.watch().work(NOW + 5 * MINUTE)
    send_all(scene, centre, NOW + 5 * MINUTE)
    assert not of_kind(centre, "warning"), "not twice a day"


def test_who_is_carried_by_a_warning_that_never_arrives_is_corrected_all_the_same(
    store: Store, tmp_path: Path
) -> None:
    scene, centre = warned(store, tmp_path, FRAUD)
    scene.confirm(FELLOW, case="another", at=NOW + DAY)
    fill(scene.folder, {"calls": both(FELLOW, TWICE, LOCAL + DAY - HOUR / 2, 900)}, at=LOCAL + DAY)
    scene.seconds += 100
    scene.watch().work(NOW + DAY)
    scene.release(FRAUD, at=NOW + DAY)
    scene.watch().work(NOW + DAY)
    centre.fails = {TWICE: UnknownCard("gone")}
    send_all(scene, centre, NOW + DAY)
    centre.fails = {}
    scene.watch().work(NOW + DAY + HOUR)
    send_all(scene, centre, NOW + DAY + HOUR)
    assert of_kind(centre, "correction") == [WORKED_ON, TWICE]


def test_one_of_two_confirmations_of_a_card_falls_and_the_call_stays(store: Store, tmp_path: Path) -> None:
    scene = scene_in(store, tmp_path)
    scene.confirm(FRAUD, case="A1", at=NOW - MINUTE, kind="fake_police")
    clue = ConfirmationSource.CLUE_FEEDBACK
    scene.book.transaction(lambda unit: confirm(unit, FRAUD, "B2", clue, POLICE, "answer"), NOW)
    scene.watch().work(NOW)
    before = {row.number: row.call_state for row in scene.rows(victims)}
    assert "waiting" in before.values()
    scene.book.transaction(lambda unit: withdraw_answer(unit, FRAUD, "B2", POLICE, "refuted"), NOW + HOUR)
    scene.watch().work(NOW + HOUR)
    assert {row.number: row.call_state for row in scene.rows(victims)} == before


def test_the_text_to_read_names_a_card_that_stands(store: Store, tmp_path: Path) -> None:
    scene, _ = warned(store, tmp_path, FRAUD, FELLOW)
    scene.release(FRAUD, at=NOW + HOUR)
    (row,) = [row for row in scene.rows(victims) if row.number == TWICE]
    queries = victim_services(scene.search, scene.source).queries
    text = queries.victim(row.id, Reader(DESK, "list"), NOW + HOUR).text.zh
    assert "尾号0002" in text
    assert "0001" not in text
    scene.release(FELLOW, at=NOW + HOUR)
    text = queries.victim(row.id, Reader(DESK, "list"), NOW + HOUR).text.zh
    assert "尚未经警方确认" in text


def test_contacts_count_from_hours_before_each_cards_own_confirmation(store: Store, tmp_path: Path) -> None:
    old, earlier = "8613900000099", LOCAL - timedelta(days=4)
    calls = [*both(FELLOW, old, earlier, 3600), *both(FELLOW, old, earlier + 2 * HOUR, 3600)]
    calls += [call(old, "95588", earlier + 4 * HOUR, 90)]
    tables = {**world()}
    tables["calls"] = [*tables["calls"], *calls]
    tables["cards"] = [*tables["cards"], registered(old, "h99", age_band="60+")]
    scene = scene_in(store, tmp_path, tables)
    scene.confirm("8613800000055", case="another", at=NOW - 70 * HOUR)
    scene.confirm(FELLOW, kind="fake_police")
    scene.watch().work(NOW)
    assert old not in {row.number for row in scene.rows(victims)}


def test_a_card_of_too_many_parties_stops_no_other_and_an_alarm_names_its_confirmation(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "8613800000077"
    scene = scene_in(store, tmp_path)
    monkeypatch.setattr(parties, "MOST_FOUND", 3)  # FRAUD has more
    scene.confirm(FRAUD, FELLOW, other)
    scene.watch().work(NOW)
    assert all(row.looked_at for row in scene.rows(victim_watches))
    assert [row.source for row in scene.rows(alarms)] == ["victims, too many"]


def test_a_clock_that_was_set_back_does_not_stop_looks(store: Store, tmp_path: Path) -> None:
    scene, _ = warned(store, tmp_path, FRAUD)
    bank = call(TWICE, "95588", LOCAL - 30 * MINUTE, 60)
    fill(scene.folder, {"calls": [bank]}, at=LOCAL)
    scene.seconds += 100
    scene.watch().work(NOW - HOUR)
    assert {row.looked_at for row in scene.rows(victim_watches)} == {NOW - HOUR}


def test_proposals_of_other_places_are_neither_seen_nor_decided(store: Store, tmp_path: Path) -> None:
    scene = scene_in(store, tmp_path)
    proposals = victim_services(scene.search, scene.source).proposals
    made = proposals.propose([FRAUD], replace(READER, why=f"about {TWICE}"), NOW)
    far = Person("far.away", Role.SUPERVISOR, scope=Scope(frozenset({"丙"}), frozenset()))
    assert proposals.listed(far) == []
    for decide in (proposals.approve, proposals.reject):
        with pytest.raises(PermissionDenied):
            decide(made.id, far, "yes", NOW)
    (seen,) = proposals.listed(Person("chief", Role.SUPERVISOR))
    assert TWICE not in seen.why
