"""From a confirmed card to its victims: who is one, who is none and why, and what speaks for danger."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from duanka.casework.victims.confirmed import Confirmed
from duanka.casework.victims.ranking import Ranked, is_service
from duanka.domain.victim_policy import VictimPolicy
from duanka.domain.victims import DangerSign, Exclusion, PartyTerms
from duanka.ledger.db.database import Store
from support.casework.victim_scene import (
    CALLED,
    FELLOW,
    FOREIGN,
    FRAUD,
    HOUR,
    LITTLE,
    LOCAL,
    TWICE,
    WORKED_ON,
    Scene,
    call,
    scene_in,
    world,
)
from support.orders.books import NOW

pytestmark = pytest.mark.requirement("R9")
SINCE = LOCAL - timedelta(hours=72)


def found(scene: Scene, *cards: str, kind: str = "") -> Ranked:
    confirmed = {card: [Confirmed(1, card, "京公2026-1", kind, NOW)] for card in cards}
    return scene.search.find(scene.records, confirmed, SINCE, LOCAL)


def test_a_victim_is_found_with_each_reason_in_words(store: Store, tmp_path: Path) -> None:
    ranked = found(scene_in(store, tmp_path), FRAUD, kind="冒充公检法")
    (first, second) = ranked.victims
    assert (first.party.number, second.party.number) == (WORKED_ON, TWICE)
    signs = {one.sign: one.figure for one in first.reasons}
    assert signs == {
        DangerSign.LONG_CALL: 25,
        DangerSign.LONG_TALK: 25,
        DangerSign.RECENT: 6,
        DangerSign.BANK_AFTER: 1,
        DangerSign.CODES_AFTER: 1,
        DangerSign.AGE: 1,
        DangerSign.LARGE_FRAUD: 1,
    }
    assert {one.sign: one.points for one in first.reasons}[DangerSign.LONG_CALL] == 6
    assert first.points == 18
    assert first.words.zh.startswith("最长通话25分钟；通话后联系银行1次；最近6小时内有联系")
    assert (first.party.operator, first.party.city, first.party.age_band) == ("甲", "130100", "60+")


def test_who_is_the_frauds_own_or_family_or_a_firm_or_a_service_is_no_victim(
    store: Store, tmp_path: Path
) -> None:
    ranked = found(scene_in(store, tmp_path), FRAUD)
    assert ranked.excluded == {
        Exclusion.SAME_HOLDER: 1,
        Exclusion.FAMILY: 1,
        Exclusion.ORGANISATION: 1,
        Exclusion.SHARED_DEVICE: 1,
        Exclusion.SERVICE: 1,
        Exclusion.LITTLE: 1,
    }


def test_a_call_that_nobody_answered_makes_no_victim_however_often(store: Store, tmp_path: Path) -> None:
    tables = {**world()}
    tables["calls"] = [
        *tables["calls"],
        *(call(FRAUD, CALLED, LOCAL - n * HOUR / 10, 0) for n in range(1, 40)),
    ]
    scene = scene_in(store, tmp_path, tables, policy=VictimPolicy(warn_points=1, least_seconds=1))
    numbers = [one.party.number for one in found(scene, FRAUD).victims]
    assert CALLED not in numbers
    assert LITTLE in numbers, "by this policy a little is enough"


def test_several_cards_of_one_gang_on_the_same_person_are_a_sign(store: Store, tmp_path: Path) -> None:
    scene = scene_in(store, tmp_path)
    ranked = found(scene, FRAUD, FELLOW)
    twice = next(one for one in ranked.victims if one.party.number == TWICE)
    assert {one.sign: one.figure for one in twice.reasons} == {
        DangerSign.LONG_CALL: 9,
        DangerSign.LONG_TALK: 17,
        DangerSign.REPEATED: 2,
        DangerSign.RECENT: 1,
        DangerSign.SEVERAL_CARDS: 2,
    }
    assert [one.card for one in twice.party.contacts] == [FRAUD, FELLOW]


def test_a_foreign_number_is_found_in_the_records_of_our_cards(store: Store, tmp_path: Path) -> None:
    (only,) = found(scene_in(store, tmp_path), FOREIGN).victims
    contact = only.party.contacts[0]
    assert (only.party.number, contact.calls_out, contact.calls_in, contact.seconds) == (
        WORKED_ON,
        1,
        0,
        600,
    )


def test_a_call_in_the_records_of_both_or_in_partial_records_counts_once(
    store: Store, tmp_path: Path
) -> None:
    tables = {**world()}
    growing = [call(FRAUD, WORKED_ON, LOCAL - 3 * HOUR, seconds) for seconds in (300, 600, 900)]
    tables["calls"] = [*tables["calls"], *growing]
    party = next(
        one
        for one in found(scene_in(store, tmp_path, tables), FRAUD).victims
        if one.party.number == WORKED_ON
    ).party
    contact = party.contacts[0]
    assert (contact.calls_out, contact.answered, contact.talks, contact.seconds) == (1, 1, 1, 25 * 60)


def test_what_comes_long_after_the_contact_is_no_sign(store: Store, tmp_path: Path) -> None:
    tables = {**world()}
    tables["calls"] = [
        {**row, "started_at": LOCAL - HOUR} if row["peer"] == "95588" else row for row in tables["calls"]
    ]
    scene = scene_in(store, tmp_path, tables)
    terms = PartyTerms(SINCE, LOCAL, bank_lines=("95588",))
    (party,) = [one for one in scene.records.parties_of([FRAUD], terms) if one.number == WORKED_ON]
    assert party.bank_after == 0
    later = replace(terms, after=timedelta(hours=2))
    (party,) = [one for one in scene.records.parties_of([FRAUD], later) if one.number == WORKED_ON]
    assert party.bank_after == 1


@pytest.mark.parametrize(
    "number", ["110", "95588", "10086", "106575880", "96110", "short:7", "4008123123", "864008123123"]
)
def test_lines_and_services_are_nobodys_telephone(number: str) -> None:
    assert is_service(number)


def test_a_telephone_and_a_pseudonym_are_somebodys() -> None:
    assert not is_service(WORKED_ON)
    assert not is_service("opaque-person-1")
