"""Items for take-down: from refused messages and complaints, by two people, to the real message proxy and back."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from duanka.casework.accounts.takedown import ItemFilter, TakedownItem
from duanka.casework.accounts.upkeep import AccountUpkeep
from duanka.domain.account_policy import AccountPolicy
from duanka.domain.network import Carried, NetworkState, Refusal, RefusalReason
from duanka.domain.order import NeedsSecondPerson, OrderError, PermissionDenied, Person, Role
from duanka.domain.takedown import Indicator, IndicatorKind, ItemState, TakedownError
from duanka.ledger.db.casework.accounts import refused_indicators
from duanka.ledger.db.database import Store
from duanka.network.smpp import codec as smpp
from duanka.network.sms.element import MessageProxy
from duanka.orders.monitoring.refusals import RefusalCollector
from duanka.sandbox.message_proxy import OwnMessageProxy
from duanka.sandbox.smsc import OwnShortMessageCentre
from support.casework.account_scene import AccountScene
from support.casework.take_down import put
from support.engine.filled_store import fill
from support.network.esme import BLOCKED, REFUSED, Esme, until
from support.network.message_path import own_centre
from support.orders.books import DESK, NOW, SECOND, card
from support.refusal_sources import LosesNothing

pytestmark = pytest.mark.requirement("R4")
centre = pytest.fixture(own_centre)
HOUR = timedelta(hours=1)
ZHAO = Person("zhao", Role.SUPERVISOR)
POLICY = AccountPolicy(never_blocked=("bank.example",))


class Source(LosesNothing):
    """An element whose refusals are said."""

    name = "message_proxy"

    def __init__(self, *found: Refusal) -> None:
        self.found, self.forgotten = found, 0

    def refusals(self, after: int, limit: int) -> tuple[list[Refusal], int]:
        some = list(self.found[after : after + limit])
        return some, after + len(some)

    def forget(self, before: int) -> None:
        self.forgotten = before


def refusal(key: str, *values: str, at: timedelta = timedelta()) -> Refusal:
    named = tuple(Indicator(IndicatorKind.HOST, value) for value in values)
    facts = (Carried.MESSAGE, card(1), card(2), RefusalReason.TEXT, "keywords 中奖", named)
    return Refusal("message_proxy", key, NOW + at, *facts)


def scene_on(store: Store, folder: Path, **more: object) -> AccountScene:
    return AccountScene(store, folder, policy=POLICY, **more)  # type: ignore[arg-type]


def items(scene: AccountScene) -> list[TakedownItem]:
    return list(scene.services.items.page(ItemFilter(), DESK).items)


def test_refused_messages_count_once_by_indicator(store: Store, tmp_path: Path) -> None:
    scene = scene_on(store, tmp_path)
    source = Source(
        refusal("1", "evil.top"),
        refusal("2", "evil.top", "other.top", at=HOUR),
        refusal("3"),
        refusal("4", "www.gov.cn"),
    )
    for _ in range(2):
        RefusalCollector(store, source).read(NOW)
        assert not scene.services.items.count_refused(NOW)
    found = {one.value: one for one in items(scene)}
    assert {value: (one.refused, one.complaints, one.state) for value, one in found.items()} == {
        "evil.top": (2, 0, ItemState.REPORTED),
        "other.top": (1, 0, ItemState.REPORTED),
    }
    assert (found["evil.top"].first_seen, found["evil.top"].last_seen) == (NOW, NOW + HOUR)
    with store.reading() as connection:
        assert connection.execute(select(refused_indicators)).all() == []
    RefusalCollector(store, Source(*source.found)).read(NOW)  # as after a crash: read once more
    scene.services.items.count_refused(NOW)
    assert {one.value: one.refused for one in items(scene)} == {"evil.top": 2, "other.top": 1}


def test_complaints_name_the_same_items_and_count_beside(store: Store, tmp_path: Path) -> None:
    at = NOW.replace(tzinfo=None)
    rows = [
        {"card": card(number), "reported_at": at + number * HOUR, "indicator_kind": kind, "indicator": text}
        for number, (kind, text) in enumerate(
            [("host", "HTTP://Evil。top/x"), ("host", "evil.top"), ("number", "138-1234-5678"), (None, None)]
        )
    ]
    fill(tmp_path / "records", {"complaints": rows})
    scene = scene_on(store, tmp_path / "records")
    for _ in range(2):
        scene.services.items.count_complaints(NOW)
    RefusalCollector(store, Source(refusal("1", "evil.top"))).read(NOW)
    scene.services.items.count_refused(NOW)
    found = {one.value: one for one in items(scene)}
    assert {value: (one.refused, one.complaints) for value, one in found.items()} == {
        "evil.top": (1, 2),
        "8613812345678": (0, 1),
    }
    assert found["evil.top"].first_seen == NOW - 8 * HOUR, "complaints are local to the operator"


def test_two_people_decide_and_honest_hosts_are_never_refused(store: Store, tmp_path: Path) -> None:
    scene = scene_on(store, tmp_path)
    put(store, "I1", "evil.top")
    put(store, "I2", "example")
    put(store, "I3", "com.cn")
    put(store, "I4", "1234", IndicatorKind.ACCOUNT)
    put(store, "I5", "8695588", IndicatorKind.NUMBER)
    service = scene.services.items
    with pytest.raises(TakedownError, match="nobody agreed yet"):
        service.block("I1", SECOND, "why", NOW)
    for number in ("I1", "I2", "I3", "I4", "I5"):
        service.move(number, ItemState.AGREED, SECOND, "seen", NOW)
    with pytest.raises(NeedsSecondPerson):
        service.block("I1", SECOND, "why", NOW)
    with pytest.raises(PermissionDenied):
        service.block("I1", DESK, "why", NOW)
    service.block("I1", ZHAO, "why", NOW)
    for number in ("I2", "I3", "I4", "I5"):
        with pytest.raises(TakedownError, match="never refused"):
            service.block(number, ZHAO, "why", NOW)
    assert service.refused_texts() == (["evil.top"], [])
    with pytest.raises(TakedownError, match="to whom"):
        service.move("I1", ItemState.PASSED_ON, DESK, "why", NOW)
    with pytest.raises(OrderError, match="control characters"):
        service.move("I1", ItemState.PASSED_ON, DESK, "why", NOW, "reg\x1b[31mistrar")
    service.move("I1", ItemState.PASSED_ON, DESK, "why", NOW, "registrar")
    service.move("I1", ItemState.TAKEN_DOWN, DESK, "gone", NOW)
    with pytest.raises(TakedownError, match="cannot become"):
        service.move("I1", ItemState.PASSED_ON, DESK, "why", NOW, "registrar")
    later = scene_on(store, tmp_path)
    later.policy = AccountPolicy(never_blocked=("evil.top",))
    assert later.services.items.refused_texts() == ([], []), "a policy that protects it since"
    with store.reading() as connection:
        assert not [one for one in scene.trail.verify(store) if not isinstance(one, int)]
        del connection


def test_an_agreed_host_is_refused_by_the_proxy_until_it_is_dismissed(
    store: Store, tmp_path: Path, centre: OwnShortMessageCentre
) -> None:
    scene = scene_on(store, tmp_path / "records")
    with OwnMessageProxy(tmp_path / "proxy", centre.address) as proxy, closing(proxy.element()) as element:
        upkeep = AccountUpkeep(
            *(store, scene.trail, POLICY, scene.services.items, scene.looks()),
            lambda: [MessageProxy(tmp_path / "proxy")],
            scene.alarms,
        )
        with Esme(proxy.address) as esme:
            element.put({BLOCKED: NetworkState.SUSPENDED})
            assert esme.says("恭喜中奖，请登录 evil-prize.top", BLOCKED) == REFUSED
            until(lambda: len(element.refusals(0, 10)[0]) == 1)
            RefusalCollector(store, element).read(NOW)
            upkeep.work(NOW)
            (item,) = items(scene)
            assert item.value == "evil-prize.top"
            assert esme.says("请登录 evil-prize.top") == smpp.OK, "nobody agreed"
            scene.services.items.move(item.id, ItemState.AGREED, DESK, "a phishing page", NOW)
            upkeep.work(NOW)
            assert esme.says("请登录 evil-prize.top") == smpp.OK, "one person agreed"
            scene.services.items.block(item.id, SECOND, "seen, too", NOW)
            upkeep.work(NOW)
            assert esme.says("请登录 m.Evil-Prize。top") == REFUSED
            assert esme.says("请登录 honest.example") == smpp.OK
            scene.services.items.move(item.id, ItemState.REJECTED, DESK, "it was a test page", NOW)
            upkeep.work(NOW)
            assert esme.says("请登录 evil-prize.top") == smpp.OK
        upkeep.close()
