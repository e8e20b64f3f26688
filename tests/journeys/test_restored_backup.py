"""A backup that is restored: the network is ahead of the order database, nobody is stopped or freed by the old one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap import serve as app_serve
from duanka.bootstrap.orders import OrderDesk
from duanka.bootstrap.scan import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.errors import DuankaError
from duanka.domain.network import NetworkState
from duanka.domain.person import Person, Role
from duanka.ledger.audit.kept_end import END_FILE
from duanka.ledger.db.tables import alarms, drifts, outbox
from duanka.network.sms.element import MessageProxy
from duanka.sandbox.message_proxy import OwnMessageProxy
from duanka.sandbox.smsc import OwnShortMessageCentre
from support.waiting import until

POLICE, SUPERVISOR = Person("liaison", Role.POLICE), Person("li", Role.SUPERVISOR)
PASSED, STOPPED, NEW, LATER = (f"861380000000{n}" for n in range(1, 5))
ACTIVE, SUSPENDED = NetworkState.ACTIVE, NetworkState.SUSPENDED


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[OwnMessageProxy]:
    with OwnShortMessageCentre() as centre, OwnMessageProxy(tmp_path / "proxy", centre.address) as proxy:
        yield proxy


@pytest.fixture
def element(proxy: OwnMessageProxy) -> Iterator[MessageProxy]:
    with closing(proxy.element()) as element:
        yield element


@contextmanager
def serving(folder: Path, proxy: OwnMessageProxy, said: list[str]) -> Iterator[OrderDesk]:
    settings = Settings(
        orders=folder, message_proxy=proxy.folder, secret=SecretStr("the secret of a test, long enough")
    )
    policy = policy_named("national")
    often = replace(policy.orders, reconcile_minutes=0.01)
    with (
        app_orders.desk(settings, policy, create=True) as here,
        app_serve.working(here, often, app_serve.Network(settings), said.append),
    ):
        yield here


# told once where no store of records is attached: whom a stopped card called, and its accounts, are not known
NO_STORE = {"victims", "linked accounts"}


def stop(here: OrderDesk, card: str) -> None:
    here.orders.police_stop(card, "case 1", POLICE, "notice", app_orders.now())


def release(here: OrderDesk, card: str) -> None:
    here.orders.police_release(card, POLICE, "consent", app_orders.now())


def test_a_restored_backup_changes_nothing_until_it_is_accepted(
    tmp_path: Path, proxy: OwnMessageProxy, element: MessageProxy
) -> None:
    said: list[str] = []

    def network(*cards: str) -> list[NetworkState]:
        return [element.state_of(card) for card in cards]

    book, backup = tmp_path / "orders", tmp_path / "backup"
    with serving(book, proxy, said) as here:
        stop(here, PASSED)
        stop(here, STOPPED)
        release(here, STOPPED)
        until(lambda: network(PASSED, STOPPED) == [SUSPENDED, ACTIVE])
    shutil.copytree(book, backup)
    with serving(book, proxy, said) as here:
        release(here, PASSED)
        stop(here, STOPPED)
        stop(here, NEW)
        until(lambda: network(PASSED, STOPPED, NEW) == [ACTIVE, SUSPENDED, SUSPENDED])
    shutil.rmtree(book)
    shutil.copytree(backup, book)
    assert (proxy.folder / END_FILE).exists()

    with serving(book, proxy, said) as here:
        assert any("duanka audit accept-restored" in line for line in said), said
        stop(here, LATER)  # held: it restricts
        release(here, PASSED)  # given back by an order of now
        until(lambda: told(here, PASSED, "active"))
        assert network(PASSED, STOPPED, NEW, LATER) == [ACTIVE, SUSPENDED, SUSPENDED, ACTIVE]
        with here.store.reading() as connection:
            assert connection.execute(select(drifts)).all() == []
            raised = set(connection.execute(select(alarms.c.source)).scalars())
        assert raised - NO_STORE == {"audit trail"}
        assert here.trail.verdict(here.store, SUPERVISOR).faults
        decisions = tmp_path / "decisions.jsonl"
        decisions.touch()
        with pytest.raises(DuankaError, match="a backup was restored"):
            app_orders.take(here, decisions, SUPERVISOR)
        app_orders.accept_restored(here, SUPERVISOR, "the day was entered again", app_orders.now())
        app_orders.take(here, decisions, SUPERVISOR)
        until(lambda: network(STOPPED, LATER) == [ACTIVE, SUSPENDED])  # as the accepted book says
        assert network(NEW) == [SUSPENDED], "of a card that it does not know, nothing"
        assert here.trail.verdict(here.store, SUPERVISOR).faults == ()


def told(here: OrderDesk, card: str, wanted: str) -> bool:
    with here.store.reading() as connection:
        rows = select(outbox.c.outcome).where(outbox.c.card == card, outbox.c.wanted == wanted)
        return "done" in connection.execute(rows).scalars()
