"""Victims for people: looked for on a ground, called by one person at a time, told in figures, forgotten in time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from duanka.bootstrap.casework.victims import victim_services
from duanka.casework.desk import VictimServices
from duanka.casework.victims.finding import AskedPeriod
from duanka.casework.victims.queries import TO_CALL, VictimFilter
from duanka.domain.order import NeedsSecondPerson, OrderError, PermissionDenied, Person, Role
from duanka.domain.person import Scope
from duanka.domain.record_lookups import Basis, BasisKind, LookupRefused
from duanka.domain.victim_policy import VictimPolicy
from duanka.domain.victims import (
    CallOutcome,
    CallState,
    CardNotConfirmed,
    UnknownVictim,
    VictimsRefused,
    WorklistState,
)
from duanka.ledger.db.casework.victims import (
    callback_cards,
    victim_contacts,
    victim_messages,
    victim_outcomes,
    victims,
    warning_grounds,
)
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import alarms, audit
from duanka.ledger.lookups import LookupContext, Reader
from support.casework.victim_scene import FELLOW, FRAUD, HOUR, MINUTE, TWICE, WORKED_ON, Scene, scene_in
from support.orders.books import DESK, NOW, POLICE, SECOND

OTHER = Person("zhao", Role.DESK)
REGULATOR = Person("reg", Role.REGULATOR)
READER = LookupContext(DESK, "the bank asked", Basis(BasisKind.POLICE_NOTICE, "京公2026-1"))
LOOK = Reader(DESK, "on the list of today")
LAST = AskedPeriod(until=NOW)
WHY = "it is my turn"


def desk(store: Store, tmp_path: Path, **more: Any) -> tuple[Scene, VictimServices]:
    scene = scene_in(store, tmp_path, **more)
    return scene, victim_services(scene.search, scene.source)


def watched(store: Store, tmp_path: Path, *cards: str, **more: Any) -> tuple[Scene, VictimServices]:
    """A desk where the worker has found the victims of `cards`."""
    scene, services = desk(store, tmp_path, **more)
    scene.confirm(*cards)
    scene.watch().work(NOW)
    return scene, services


def trail(store: Store, what: str = "victims.%") -> list[tuple[str, str, str, dict[str, Any]]]:
    columns = (audit.c.who, audit.c.what, audit.c.why, audit.c.after)
    with store.reading() as connection:
        rows = connection.execute(select(*columns).where(audit.c.what.like(what)).order_by(audit.c.seq)).all()
    return [(*row[:3], json.loads(row[3] or "{}")) for row in rows]


@pytest.mark.requirement("R9")
def test_a_search_is_in_the_trail_with_reason_and_ground_and_masks_numbers(
    store: Store, tmp_path: Path
) -> None:
    scene, services = desk(store, tmp_path)
    scene.confirm(FRAUD)
    found = services.finder.find([f"+{FRAUD}"], READER, NOW, LAST)
    assert [one.number for one in found.victims] == ["+86 139****0001", "+86 139****0008"]
    assert WORKED_ON not in str(found)
    (entry,) = trail(store)
    assert entry[:3] == ("wang", "victims.look", "京公2026-1 · the bank asked")
    assert entry[3]["cards"] == [FRAUD]
    full = services.finder.find([FRAUD], replace(READER, unmasked=True), NOW, LAST)
    assert full.victims[0].number == f"+{WORKED_ON}"
    assert not scene.rows(victims), "a search keeps nobody"


def test_cards_that_nobody_confirmed_are_refused_and_nothing_is_looked_up(
    store: Store, tmp_path: Path
) -> None:
    scene, services = desk(store, tmp_path)
    scene.confirm(FRAUD)
    for look in (services.finder.find, services.finder.warn):
        with pytest.raises(CardNotConfirmed, match="1 of these cards"):
            look([FRAUD, FELLOW], READER, NOW, LAST)
    assert not trail(store)
    assert not scene.rows()


@pytest.mark.parametrize("role", Role)
def test_who_may_find_warn_look_and_call(store: Store, tmp_path: Path, role: Role) -> None:
    scene, services = desk(store, tmp_path)
    scene.confirm(FRAUD)
    scene.watch().work(NOW)
    before = len(trail(store))
    person = Person("somebody", role)
    reader, looks = replace(READER, person=person), Reader(person, "a look")
    allowed = {
        "find": {Role.DESK, Role.SUPERVISOR, Role.POLICE},
        "warn": {Role.DESK, Role.SUPERVISOR},
        "list": {Role.DESK, Role.SUPERVISOR, Role.POLICE},
        "claim": {Role.DESK, Role.SUPERVISOR},
        "propose": {Role.DESK, Role.SUPERVISOR},
        "figures": {Role.DESK, Role.SUPERVISOR, Role.REGULATOR},
    }
    asked: dict[str, Callable[[], object]] = {
        "find": lambda: services.finder.find([FRAUD], reader, NOW, LAST),
        "warn": lambda: services.finder.warn([FRAUD], reader, NOW, LAST),
        "list": lambda: services.queries.page(VictimFilter(), looks, NOW),
        "claim": lambda: services.calls.claim(None, person, WHY, NOW),
        "propose": lambda: services.proposals.propose([FELLOW], reader, NOW),
        "figures": lambda: services.queries.figures(person, NOW - HOUR, NOW),
    }
    for name, ask in asked.items():
        if role in allowed[name]:
            ask()
        else:
            with pytest.raises(PermissionDenied):
                ask()
    if role in (Role.SYSTEM, Role.HOLDER, Role.REGULATOR):
        assert len(trail(store)) == before


@pytest.mark.requirement("R9")
def test_every_look_at_a_victim_is_in_the_trail_with_its_reason(store: Store, tmp_path: Path) -> None:
    _, services = watched(store, tmp_path, FRAUD)
    page = services.queries.page(VictimFilter(TO_CALL), LOOK, NOW)
    (only,) = page.victims
    assert (only.number, only.points, only.call_state) == ("+86 139****0001", 17, CallState.WAITING)
    file = services.queries.victim(only.id, LOOK, NOW)
    assert WORKED_ON not in str(file)
    assert FRAUD not in str(file)
    assert [one.outcome for one in file.messages] == ["waiting"]
    assert file.contacts[0].case_number == "京公2026-1"
    assert [row[:3] for row in trail(store)[1:]] == [
        ("wang", "victims.list", "on the list of today"),
        ("wang", "victims.show", "on the list of today"),
    ]
    for look in (
        lambda: services.queries.page(VictimFilter(), replace(LOOK, why=" "), NOW),
        lambda: services.queries.victim(only.id, replace(LOOK, why=""), NOW),
        lambda: services.calls.claim(only.id, DESK, " ", NOW),
    ):
        with pytest.raises(OrderError, match="say why"):
            look()
    assert len(trail(store)) == 3


def test_lists_go_on_page_by_page_and_keep_to_the_scope(store: Store, tmp_path: Path) -> None:
    _, services = watched(store, tmp_path, FRAUD, FELLOW)
    first = services.queries.page(VictimFilter(), LOOK, NOW, limit=1)
    second = services.queries.page(VictimFilter(), LOOK, NOW, first.following, limit=1)
    assert [one.number[-4:] for one in (*first.victims, *second.victims)] == ["0008", "0001"]
    assert (first.total, second.following) == (2, None)
    near = replace(DESK, scope=Scope(operators=frozenset({"乙"})))
    page = services.queries.page(VictimFilter(), replace(LOOK, person=near), NOW)
    assert [one.number[-4:] for one in page.victims] == ["0008"]
    with pytest.raises(UnknownVictim):
        services.queries.victim(second.victims[0].id, replace(LOOK, person=near), NOW)
    with pytest.raises(VictimsRefused, match="nobody waits"):
        services.calls.claim(None, replace(near, scope=Scope(operators=frozenset({"丙"}))), WHY, NOW)


@pytest.mark.requirement("R9")
def test_one_person_at_a_time_calls_the_most_endangered_and_records_what_came_of_it(
    store: Store, tmp_path: Path
) -> None:
    scene, services = watched(store, tmp_path, FRAUD)
    calls = services.calls
    file = calls.claim(None, DESK, WHY, NOW)
    assert file.victim.number == f"+{WORKED_ON}"
    assert "尾号0001" in file.text.zh
    assert "是否已经转账" in file.text.zh
    victim = file.victim.id
    with pytest.raises(VictimsRefused, match="being called by wang"):
        calls.claim(victim, OTHER, WHY, NOW + MINUTE)
    with pytest.raises(VictimsRefused, match="not claimed by zhao"):
        calls.record(victim, CallOutcome.REACHED, "hello", OTHER, NOW + MINUTE)
    done = calls.record(victim, CallOutcome.DISSUADED, "hung up on them", DESK, NOW + 10 * MINUTE)
    assert (done.call_state, done.outcome, done.claimed_by) == (CallState.DONE, CallOutcome.DISSUADED, None)
    again = calls.record(victim, CallOutcome.DISSUADED, "hung up on them", DESK, NOW + 11 * MINUTE)
    assert again == done, "the same once more gives the state"
    assert len(scene.rows(victim_outcomes)) == 1
    with pytest.raises(VictimsRefused, match="waits for no call"):
        calls.claim(victim, OTHER, WHY, NOW + HOUR)


def test_a_claim_that_ran_out_or_was_given_back_is_free(store: Store, tmp_path: Path) -> None:
    _, services = watched(store, tmp_path, FRAUD)
    victim = services.calls.claim(None, DESK, WHY, NOW).victim.id
    assert services.calls.claim(None, OTHER, WHY, NOW + 31 * MINUTE).victim.id == victim
    assert services.calls.release(victim, OTHER, WHY, NOW + 32 * MINUTE).call_state is CallState.WAITING
    assert services.calls.claim(victim, DESK, WHY, NOW + 33 * MINUTE).victim.claimed_by == "wang"


@pytest.mark.requirement("R9")
def test_who_is_not_reached_several_times_is_escalated(store: Store, tmp_path: Path) -> None:
    scene, services = watched(store, tmp_path, FRAUD, policy=VictimPolicy(escalate_after=2))
    states = []
    for turn in range(2):
        at = NOW + turn * HOUR
        victim = services.calls.claim(None, DESK, WHY, at).victim.id
        states.append(services.calls.record(victim, CallOutcome.NOT_REACHED, "rings", DESK, at).call_state)
    assert states == [CallState.WAITING, CallState.ESCALATED]
    assert [row.source for row in scene.rows(alarms)] == ["victims not reached"]
    assert WORKED_ON not in scene.rows(alarms)[0].detail
    with pytest.raises(VictimsRefused, match="nobody waits"):
        services.calls.claim(None, DESK, WHY, NOW + 3 * HOUR)
    assert services.calls.claim(victim, SECOND, WHY, NOW + 3 * HOUR).victim.not_reached == 2


@pytest.mark.requirement("R9")
def test_a_worklist_for_cards_that_nobody_confirmed_takes_two_people_and_sends_nothing(
    store: Store, tmp_path: Path
) -> None:
    scene, services = desk(store, tmp_path)
    made = services.proposals.propose([FRAUD], READER, NOW)
    assert (made.state, made.cards, made.found) == (WorklistState.PROPOSED, 1, 0)
    assert not scene.rows(victims), "nothing is looked up before the approval"
    with pytest.raises(PermissionDenied):
        services.proposals.approve(made.id, OTHER, "seen", NOW)
    own = services.proposals.propose([FRAUD], replace(READER, person=SECOND), NOW)
    with pytest.raises(NeedsSecondPerson):
        services.proposals.approve(own.id, SECOND, "seen", NOW)
    done = services.proposals.approve(made.id, SECOND, "seen", NOW, LAST)
    assert (done.state, done.found, done.decided_by) == (WorklistState.APPROVED, 2, "li")
    with pytest.raises(VictimsRefused, match="approved already"):
        services.proposals.approve(made.id, SECOND, "seen", NOW)
    assert not scene.rows(), "nothing is sent"
    file = services.calls.claim(None, DESK, WHY, NOW)
    assert "尚未经警方确认" in file.text.zh
    assert file.contacts[0].case_number == ""
    assert [row[:2] for row in trail(store)] == [
        ("wang", "victims.propose"),
        ("li", "victims.propose"),
        ("li", "victims.look"),
        ("li", "victims.approve"),
        ("wang", "victims.call"),
    ]
    assert services.proposals.reject(own.id, Person("qian", Role.SUPERVISOR), "no", NOW).found == 0


@pytest.mark.requirement("R9")
def test_the_figures_are_the_recorded_outcomes_and_outlast_the_victims(store: Store, tmp_path: Path) -> None:
    scene, services = watched(store, tmp_path, FRAUD, FELLOW)
    calls = services.calls
    store.transact(
        lambda connection: connection.execute(
            victim_messages.update().values(sent_at=NOW, done_at=NOW, outcome="delivered")
        )
    )
    victim = calls.claim(None, DESK, WHY, NOW).victim.id
    calls.record(victim, CallOutcome.NOT_REACHED, "rings", DESK, NOW)
    calls.claim(victim, DESK, WHY, NOW)
    calls.record(victim, CallOutcome.DISSUADED, "hung up", DESK, NOW)

    def told() -> list[tuple[object, ...]]:
        return [
            (
                one.operator,
                one.city,
                one.warned,
                one.outcomes[CallOutcome.DISSUADED],
                sum(one.outcomes.values()),
            )
            for one in services.queries.figures(REGULATOR, NOW - HOUR, NOW + HOUR)
        ]

    expected = [("乙", "110100", 1, 1, 2), ("甲", "130100", 1, 0, 0)]
    assert told() == expected
    later = NOW + timedelta(days=181)
    assert services.retention.purge(NOW + timedelta(days=179)) == 0
    assert services.retention.purge(later) == 2
    for table in (victims, victim_contacts, victim_messages, warning_grounds, callback_cards):
        assert not scene.rows(table)
    assert [row.note for row in scene.rows(victim_outcomes)] == ["", ""]
    assert told() == expected
    assert trail(store)[-1][3] == {"victims": 2, "worklists": 0}
    assert WORKED_ON not in str(trail(store))


@pytest.mark.requirement("R9")
def test_no_number_of_a_forgotten_victim_is_left_in_any_table(store: Store, tmp_path: Path) -> None:
    from support.orders.books import backup_of

    _, services = watched(store, tmp_path, FRAUD)
    services.calls.claim(None, DESK, WHY, NOW)
    store.transact(lambda connection: connection.execute(victim_messages.update().values(done_at=NOW)))
    assert WORKED_ON in str(backup_of(store))
    services.retention.purge(NOW + timedelta(days=181))
    left = str(backup_of(store))
    assert WORKED_ON not in left
    assert TWICE not in left


def test_without_a_store_the_next_step_is_said(store: Store, tmp_path: Path) -> None:
    scene, services = desk(store, tmp_path, attached=False)
    scene.confirm(FRAUD)
    with pytest.raises(LookupRefused, match="no store"):
        services.finder.find([FRAUD], READER, NOW, LAST)
    assert services.queries.page(VictimFilter(), replace(LOOK, person=POLICE), NOW).total == 0
