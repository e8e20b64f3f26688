"""From a stopped card to the platforms that handle its accounts, and back when the card is free again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from duanka.ledger.db.database import Store
from support.casework.account_scene import CHAT, MALL, PAY, SOON, account_scene
from support.casework.platform_server import PlatformStub, platform_server
from support.orders.books import NOW, card

pytestmark = pytest.mark.requirement("R4")
HOUR = timedelta(hours=1)


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[PlatformStub]:
    with platform_server(tmp_path / "chat", CHAT) as server:
        yield server


def test_a_police_stop_reaches_the_platform_and_its_release_too(
    store: Store, tmp_path: Path, chat: PlatformStub
) -> None:
    scene = account_scene(store, tmp_path)
    scene.register(chat.platform)
    scene.stop(card(0))
    scene.look()
    assert [row.platform for row in scene.requests()].count(CHAT) == 1
    scene.dispatch()
    (told,) = chat.bodies()
    assert told["kind"] == "restrict"
    assert (told["ground"], told["groundNumber"], told["phoneNumber"]) == (
        "confirmed",
        "京公2026-1",
        f"+{card(0)}",
    )
    assert {row.platform: row.state for row in scene.requests()} == {
        CHAT: "sent",
        PAY: "waiting",
        MALL: "waiting",
    }
    scene.dispatch(NOW + SOON)
    (handled,) = [row for row in scene.requests() if row.platform == CHAT]
    assert (handled.state, handled.answered_by, handled.due_at) == ("handled", "platform", None)
    scene.restore(card(0), at=NOW + HOUR)
    scene.look(NOW + HOUR)
    scene.dispatch(NOW + HOUR)
    assert scene.states() == ["released", "withdrawn", "withdrawn"]
    assert sorted(chat.effects()) == [(handled.id, "release"), (handled.id, "request")]
    assert set(chat.effects().values()) == {1}
    assert [one for one in scene.trail.verify(store) if not isinstance(one, int)] == []
