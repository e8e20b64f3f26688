"""kill -9 between any two steps: three platforms take each request and each release once."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from duanka.domain.order import Kind
from duanka.ledger.db.database import Store
from support.casework.account_scene import CHAT, MALL, PAY, AccountScene, account_scene
from support.casework.dying_accounts import STEPS, killed
from support.casework.platform_server import PlatformStub, platform_server
from support.orders.books import NOW, card

pytestmark = pytest.mark.requirement("R4")
HOUR, LATER = timedelta(hours=1), timedelta(minutes=3)  # every lease is over
ROUNDS, MANY = 2, 50
Stubs = Mapping[str, PlatformStub]


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stubs]:
    with ExitStack() as servers:
        yield {
            name: servers.enter_context(platform_server(tmp_path_factory.mktemp("platform"), name))
            for name in (CHAT, PAY, MALL)
        }


@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(MANY, marks=pytest.mark.long)])
def test_each_request_and_release_is_taken_once(
    store: Store, order_database_url: str, tmp_path: Path, stubs: Stubs, rounds: int
) -> None:
    scene = account_scene(store, tmp_path, *(card(number) for number in range(rounds)))
    scene.register(*(stub.platform for stub in stubs.values()))
    chance, kills = random.Random(11), 0
    for number in range(rounds):
        one, begins = card(number), NOW + number * 24 * HOUR
        step, time = STEPS[number % len(STEPS)], chance.randint(1, 3)
        kills += killed(
            *(order_database_url, scene.folder, step, time, begins),
            lambda child, one=one, at=begins: child.stop(one, at=at),  # type: ignore[misc]
        )
        if not stopped(scene, one):  # the order itself was not stored: the police ask again
            scene.stop(one, at=begins)
        in_time = chance.random() < 0.7
        if in_time:  # else the card is free again before anything is put right
            recover(scene, begins + LATER)
            for name, stub in stubs.items():
                assert taken(stub, scene, one, name) == {"request": 1}, (number, step, name)
        step, time = STEPS[chance.randrange(len(STEPS))], chance.randint(1, 3)
        freed = begins + (HOUR if in_time else timedelta(seconds=5))
        kills += killed(
            *(order_database_url, scene.folder, step, time, freed),
            lambda child, one=one, at=freed: child.restore(one, at=at),  # type: ignore[misc]
        )
        if stopped(scene, one):
            scene.restore(one, at=freed)
        recover(scene, freed + LATER)
        for name, stub in stubs.items():
            found = taken(stub, scene, one, name)
            whole = [{"request": 1, "release": 1}]
            # never sent, or perhaps on its way: then the release comes alone, and the request is refused after it
            assert found in (whole if in_time else [*whole, {"release": 1}, {}]), (number, step, name)
    assert kills >= rounds // 2
    assert set(scene.states()) <= {"released", "withdrawn"}
    assert all(times == 1 for stub in stubs.values() for times in stub.effects().values())
    assert [one for one in scene.trail.verify(store) if not isinstance(one, int)] == []


def stopped(scene: AccountScene, one: str) -> bool:
    return scene.book.transaction(lambda unit: unit.open_order(one, Kind.RESTRICTION), NOW) is not None


def taken(stub: PlatformStub, scene: AccountScene, one: str, name: str) -> dict[str, int]:
    """What the platform did about the card."""
    mine = {row.id for row in scene.requests() if (row.card, row.platform) == (one, name)}
    return {what: times for (number, what), times in stub.effects().items() if number in mine}


def recover(scene: AccountScene, at: datetime) -> None:
    """Workers that are not killed do what is left, and then nothing."""
    for again in range(3):
        moment = at + again * LATER
        scene.look(moment)
        scene.dispatch(moment)
