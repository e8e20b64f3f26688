"""Warnings over real SMPP: one a person and day, on standing confirmations alone, with its receipt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from duanka.domain.victims import MessageOutcome
from duanka.ledger.db.database import Store
from duanka.network.notices.sender import ShortMessageCentre
from duanka.sandbox.smsc import OwnShortMessageCentre
from support.casework.victim_scene import FRAUD, TWICE, WORKED_ON, scene_in
from support.network.esme import until
from support.network.message_path import own_centre
from support.orders.books import NOW

centre = pytest.fixture(own_centre)
DAY = timedelta(days=1)


def link(centre: OwnShortMessageCentre, *, receives: bool = False) -> ShortMessageCentre:
    return ShortMessageCentre(centre.address, system_id="notices", password="secret", receives=receives)  # noqa: S106


@pytest.fixture
def sender(centre: OwnShortMessageCentre) -> Iterator[ShortMessageCentre]:
    with closing(link(centre)) as one:
        yield one


@pytest.mark.requirement("R9.2")
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
