"""Warnings over real SMPP: one a person and day, on standing confirmations alone, with its receipt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from duanka.casework.victims import watches
from duanka.domain.network import Receipt, UnknownCard, Unreachable
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.victim_policy import VictimPolicy
from duanka.domain.victims import MessageOutcome
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.casework.victims import (
    victim_message_parts,
    victim_watches,
    victims,
    warning_grounds,
)
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import alarms
from duanka.network.notices.sender import ShortMessageCentre
from duanka.sandbox.smsc import OwnShortMessageCentre
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
    scene_in,
    world,
)
from support.engine.filled_store import fill
from support.network.esme import until
from support.network.message_path import own_centre
from support.orders.books import NOW, demand, receive

centre = pytest.fixture(own_centre)


def link(centre: OwnShortMessageCentre, *, receives: bool = False) -> ShortMessageCentre:
    return ShortMessageCentre(centre.address, system_id="notices", password="secret", receives=receives)  # noqa: S106


@pytest.fixture
def sender(centre: OwnShortMessageCentre) -> Iterator[ShortMessageCentre]:
    with closing(link(centre)) as one:
        yield one


@pytest.mark.requirement("R9")
def test_a_confirmation_leads_to_a_warning_in_the_message_centre_and_its_receipt(
    store: Store, tmp_path: Path, centre: OwnShortMessageCentre, sender: ShortMessageCentre
) -> None:
    scene = scene_in(store, tmp_path)
    scene.confirm(FRAUD, kind="fake_police")
    with closing(link(centre, receives=True)) as notices:
        notices.receipts()
        assert not scene.watch().work(NOW)
        assert [row.number for row in scene.rows()] == [WORKED_ON, TWICE]
        dispatcher = scene.dispatcher(sender)
        while dispatcher.work(NOW):
            pass
        assert {one.destination: one.text for one in centre.accepted} == dict.fromkeys(
            (WORKED_ON, TWICE),
            "【本运营商】警方已确认尾号0001的号码涉嫌冒充公检法诈骗，该号码近期与您联系过。"
            "请勿转账、共享屏幕、告知验证码；如已转账请立即报警。",
        )
        assert {one.source for one in centre.accepted} == {"10086"}
        came = {}

        def both_came() -> bool:
            came.update({one.message_id: one for one in notices.receipts()})
            return len(came) == 2

        until(both_came)
    assert set(scene.receipts().take(came, NOW)) == set(came)
    assert {row.outcome for row in scene.rows()} == {MessageOutcome.DELIVERED.value}
    dispatcher.close()


@pytest.mark.requirement("R9")
def test_a_person_is_warned_once_a_day_however_many_confirmations_workers_and_looks(
    store: Store, tmp_path: Path
) -> None:
    scene, centre = warned(store, tmp_path, FRAUD)
    scene.confirm(FELLOW, case="京公2026-2", at=NOW + HOUR)
    for worker in ("w", "other"):
        scene.watch(worker).work(NOW + HOUR)
    send_all(scene, centre, NOW + HOUR)
    assert of_kind(centre, "warning") == [WORKED_ON, TWICE]
    assert len(scene.rows(victims)) == 2
    grounds = {(row.message_id, row.confirmation_id) for row in scene.rows(warning_grounds)}
    assert grounds == {(1, 1), (2, 1), (2, 2)}, "the second confirmation carries today's warning too"


def test_the_next_day_only_who_was_in_contact_again_is_warned_again(store: Store, tmp_path: Path) -> None:
    scene, centre = warned(store, tmp_path, FRAUD)
    again = both(FRAUD, TWICE, LOCAL + 23.5 * HOUR, 300)
    fill(scene.folder, {"calls": again}, at=LOCAL + DAY)
    scene.seconds += 100
    scene.watch().work(NOW + DAY)
    send_all(scene, centre, NOW + DAY)
    assert of_kind(centre, "warning") == [WORKED_ON, TWICE, TWICE]


def test_nothing_is_sent_for_a_card_that_nobody_confirmed(store: Store, tmp_path: Path) -> None:
    scene, centre = scene_in(store, tmp_path), Centre()
    receive(scene.book, [demand(0)], NOW)
    scene.watch().work(NOW)
    send_all(scene, centre)
    assert not centre.sent
    assert not scene.rows(victims)


def test_the_kind_of_fraud_of_a_signed_file_is_in_the_warning_if_the_confirmation_has_none(
    store: Store, tmp_path: Path
) -> None:
    case = {"card": FRAUD, "case_id": "京公2026-1", "confirmed_at": LOCAL - HOUR}
    told = {**case, "fraud_kind": "虚假投资理财", "signed_by": "bureau"}
    claimed = {**case, "card": FELLOW, "fraud_kind": "刷单返利"}
    tables, lenient = {**world(), "cases": [told, claimed]}, VictimPolicy(warn_points=9)
    scene, centre = scene_in(store, tmp_path, tables, policy=lenient), Centre()
    scene.confirm(FELLOW)
    scene.watch().work(NOW)
    scene.confirm(FRAUD)
    scene.watch().work(NOW)
    send_all(scene, centre)
    texts = dict(centre.sent)
    assert "尾号0001的号码涉嫌虚假投资理财诈骗" in texts[WORKED_ON]
    assert "尾号0002的号码涉嫌诈骗" in texts[TWICE], "an unsigned file says nothing for the police"


def test_without_a_store_confirmations_wait_one_alarm_says_so_and_is_cleared(
    store: Store, tmp_path: Path
) -> None:
    scene = scene_in(store, tmp_path, attached=False)
    scene.watch().work(NOW)
    assert not scene.rows(alarms), "nobody waits"
    scene.confirm(FRAUD)
    watch = scene.watch()
    for _ in range(3):
        watch.work(NOW)
    assert [row.source for row in scene.rows(alarms)] == ["victims"]
    assert [row.looked_at for row in scene.rows(victim_watches)] == [None]
    scene.attached = True
    watch.work(NOW + MINUTE)
    assert [row.cleared_at for row in scene.rows(alarms)] == [NOW + MINUTE]
    assert [row.number for row in scene.rows()] == [WORKED_ON, TWICE]


def test_a_worker_that_died_while_it_looked_leaves_the_confirmation_to_another(
    store: Store, tmp_path: Path
) -> None:
    scene = scene_in(store, tmp_path)
    scene.confirm(FRAUD)
    store.transact(
        lambda connection: watches.adopt(connection, watches.unwatched(connection, NOW - DAY, 9, whole=True))
    )
    store.transact(lambda connection: watches.lease_unseen(connection, "dead", NOW, 2 * MINUTE, 10))
    watch = scene.watch("other")
    watch.work(NOW + MINUTE)
    assert not scene.rows(victims)
    watch.work(NOW + 3 * MINUTE)
    assert len(scene.rows(victims)) == 2


def test_what_a_person_does_after_the_contact_is_seen_with_the_next_records(
    store: Store, tmp_path: Path
) -> None:
    scene, _ = warned(store, tmp_path, FRAUD)
    (before,) = [row for row in scene.rows(victims) if row.number == TWICE]
    bank = call(TWICE, "95588", LOCAL - 30 * MINUTE, 60)
    fill(scene.folder, {"calls": [bank]}, at=LOCAL)
    scene.seconds += 100
    scene.watch().work(NOW + MINUTE)
    (after,) = [row for row in scene.rows(victims) if row.number == TWICE]
    assert (before.points, after.points) == (13, 17)
    assert (before.call_state, after.call_state) == ("none", "waiting")


@pytest.mark.requirement("R9")
def test_who_was_warned_on_a_withdrawn_confirmation_gets_one_correction(store: Store, tmp_path: Path) -> None:
    scene, centre = warned(store, tmp_path, FRAUD)
    scene.release(FRAUD, at=NOW + HOUR)
    for worker in ("w", "other", "w"):
        scene.watch(worker).work(NOW + HOUR)
        send_all(scene, centre, NOW + HOUR)
    assert of_kind(centre, "correction") == [WORKED_ON, TWICE]
    assert dict(centre.sent[2:])[TWICE] == (
        "【本运营商】更正：3月2日提醒您尾号0001的号码涉嫌诈骗，警方已撤销该认定，该提醒作废，您无需办理手续，敬请谅解。"
    )
    states = {row.number: row.call_state for row in scene.rows(victims)}
    assert states == {WORKED_ON: "none", TWICE: "none"}, "nobody calls them any more"


@pytest.mark.requirement("R9")
def test_who_is_warned_by_another_standing_confirmation_is_not_corrected_before_that_falls_too(
    store: Store, tmp_path: Path
) -> None:
    scene, centre = warned(store, tmp_path, FRAUD, FELLOW)
    scene.release(FRAUD, at=NOW + HOUR)
    scene.watch().work(NOW + HOUR)
    send_all(scene, centre, NOW + HOUR)
    assert of_kind(centre, "correction") == [WORKED_ON]
    scene.release(FELLOW, at=NOW + 2 * HOUR)
    scene.watch().work(NOW + 2 * HOUR)
    send_all(scene, centre, NOW + 2 * HOUR)
    assert of_kind(centre, "correction") == [WORKED_ON, TWICE]


@pytest.mark.requirement("R9")
def test_a_warning_that_waits_is_withdrawn_unsent_and_leaves_the_day_free(
    store: Store, tmp_path: Path
) -> None:
    scene, centre = scene_in(store, tmp_path), Centre()
    scene.confirm(FRAUD)
    scene.watch().work(NOW)
    scene.release(FRAUD)
    scene.watch().work(NOW)
    send_all(scene, centre)
    assert not centre.sent
    scene.confirm(FRAUD, case="京公2026-9", at=NOW + MINUTE)
    scene.watch().work(NOW + MINUTE)
    send_all(scene, centre, NOW + MINUTE)
    assert of_kind(centre, "warning") == [WORKED_ON, TWICE]


@pytest.mark.requirement("R9")
def test_a_warning_on_its_way_is_corrected_once_it_arrived(store: Store, tmp_path: Path) -> None:
    scene, centre = scene_in(store, tmp_path), Centre()
    scene.confirm(FRAUD)
    scene.watch().work(NOW)

    def meanwhile() -> None:
        centre.before = lambda: None
        scene.release(FRAUD)
        scene.watch("other").work(NOW)
        kinds = {(row.kind, row.outcome) for row in scene.rows()}
        assert kinds == {("warning", None)}, "nothing is taken back that may be on its way"

    centre.before = meanwhile
    send_all(scene, centre)
    assert of_kind(centre, "warning") == [WORKED_ON, TWICE]
    scene.watch().work(NOW)
    send_all(scene, centre)
    assert of_kind(centre, "correction") == [WORKED_ON, TWICE]


@pytest.mark.requirement("R9")
def test_who_did_not_get_the_warning_gets_no_correction(store: Store, tmp_path: Path) -> None:
    scene, centre = warned(store, tmp_path, FRAUD)
    ids = {row.number: row.id for row in scene.rows()}
    part = next(row.part_id for row in scene.rows(victim_message_parts) if row.message_id == ids[TWICE])
    scene.receipts().take({part: Receipt(part, False, NOW, "EXPIRED")}, NOW)
    scene.release(FRAUD, at=NOW + HOUR)
    scene.watch().work(NOW + HOUR)
    send_all(scene, centre, NOW + HOUR)
    assert of_kind(centre, "correction") == [WORKED_ON]


def test_what_the_centre_did_not_take_is_sent_later_and_an_unknown_number_is_given_up(
    store: Store, tmp_path: Path
) -> None:
    scene, centre = scene_in(store, tmp_path), Centre()
    scene.confirm(FRAUD)
    scene.watch().work(NOW)
    centre.fails = {WORKED_ON: Unreachable("busy"), TWICE: UnknownCard("no such number")}
    dispatcher = scene.dispatcher(centre)
    dispatcher.work(NOW)
    assert {row.number: row.outcome for row in scene.rows()} == {WORKED_ON: None, TWICE: "given_up"}
    centre.fails = {}
    dispatcher.work(NOW + MINUTE)
    assert [card for card, _ in centre.sent] == [WORKED_ON]


def test_while_the_centre_is_down_one_is_tried_at_a_time_and_the_error_is_raised(
    store: Store, tmp_path: Path
) -> None:
    scene, centre = scene_in(store, tmp_path), Centre()
    scene.confirm(FRAUD)
    scene.watch().work(NOW)
    centre.fails = {"": Unreachable("down")}
    ticks = [0.0]
    dispatcher = scene.dispatcher(centre, ticks=lambda: ticks[0])
    with pytest.raises(Unreachable):
        dispatcher.work(NOW)
    assert not dispatcher.work(NOW + MINUTE), "it rests"
    ticks[0] = 60
    centre.fails = {}
    while dispatcher.work(NOW + MINUTE):
        pass
    assert len(centre.sent) == 2


@pytest.mark.requirement("R9")
def test_who_is_suspended_or_protected_or_has_no_number_gets_no_message(store: Store, tmp_path: Path) -> None:
    tables = {**world()}
    hidden = "opaque-person-1"
    tables["calls"] = [*tables["calls"], *both(FRAUD, hidden, LOCAL - HOUR / 2, 900)]
    scene = scene_in(store, tmp_path, tables, orders=OrderPolicy(protected=(f"+{WORKED_ON}",)))
    scene.confirm(TWICE, case="another")
    store.transact(
        lambda connection: connection.execute(
            update(confirmations).where(confirmations.c.card == TWICE).values(withdrawn_at=NOW)
        )
    )
    scene.confirm(FRAUD)
    scene.watch().work(NOW)
    assert {row.number for row in scene.rows(victims)} == {WORKED_ON, TWICE, hidden}
    assert not scene.rows(), "TWICE is stopped, WORKED_ON protected, and a pseudonym is no number"
