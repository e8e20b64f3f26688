"""Cards with linked accounts in a store, an order database, and the parts that ask platforms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import select

from duanka.bootstrap.casework.accounts import account_services, link_to
from duanka.bootstrap.policies import policy_named
from duanka.casework.accounts.dispatch import DispatchTerms, PlatformDispatchers
from duanka.casework.accounts.looking import AccountLooks
from duanka.casework.desk import AccountServices
from duanka.domain.account_policy import AccountPolicy
from duanka.domain.linked_accounts import AccountPlatform
from duanka.domain.order import Person, Role
from duanka.domain.record_lookups import LookupRefused
from duanka.engine.store.reading.lookups import StoreLookups
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.casework.accounts import account_requests
from duanka.ledger.db.database import Store
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.unit_of_work.unit_of_work import Terms
from duanka.orders.police_stops import police_stop
from duanka.orders.service import OrderService
from support.engine.filled_store import fill
from support.order_policies import AT_ONCE
from support.orders.books import ELEMENTS, KEY, NOW, POLICE, card

CHAT, PAY, MALL = "Yuanfang Chat", "Lanhua Pay", "Heyan Mall"
OTHER = Person("officer.two", Role.POLICE)
FIRST, SECOND = Person("first", Role.SUPERVISOR), Person("second", Role.SUPERVISOR)


def accounts_of(*cards: str, platforms: Sequence[str] = (CHAT, PAY, MALL)) -> list[dict[str, object]]:
    """An account of each card on each platform."""
    return [
        {
            "card": one,
            "platform": name,
            "account": f"u{one[-4:]}{name[:2]}",
            "bound_at": NOW.replace(tzinfo=None),
        }
        for one in cards
        for name in platforms
    ]


@dataclass
class AccountScene:
    """An order database and a store. `attached` False: no store answers."""

    store: Store
    folder: Path
    policy: AccountPolicy = field(default_factory=lambda: AccountPolicy(poll_minutes=1))
    attached: bool = True
    said: list[str] = field(default_factory=list)
    trail: Trail = field(default_factory=lambda: Trail(KEY))

    def __post_init__(self) -> None:
        self.book = OrderService(self.store, Terms(AT_ONCE, self.trail, ELEMENTS))
        self.alarms = AlarmService(self.store, self.said.append)

    @cached_property
    def records(self) -> StoreLookups:
        return StoreLookups(self.folder, threads=1)

    def source(self) -> StoreLookups:
        if not self.attached:
            raise LookupRefused("no store is attached")
        return self.records

    @cached_property
    def services(self) -> AccountServices:
        policy = replace(policy_named("national"), accounts=self.policy)
        return account_services(self.store, self.trail, policy, self.source, KEY)

    def looks(self) -> AccountLooks:
        return AccountLooks(
            self.store, self.trail, self.source, self.policy, self.services.protects, self.alarms
        )

    def look(self, at: datetime = NOW) -> None:
        looks = self.looks()
        while looks.work(at):
            pass

    def register(self, *platforms: AccountPlatform) -> None:
        """Two supervisors register platforms."""
        for one in platforms:
            number = self.services.platforms.propose(one, FIRST, NOW)
            self.services.platforms.approve(number, SECOND, "contract signed", NOW)

    def dispatchers(self, worker: str = "w", opens: Any = link_to) -> PlatformDispatchers:
        terms = DispatchTerms(self.store, self.trail, self.policy, self.alarms, worker, opens)
        return PlatformDispatchers(terms, self.services.platforms.in_force, self.said.append)

    def dispatch(self, at: datetime = NOW, opens: Any = link_to) -> None:
        """Let each platform work once, and what follows."""
        dispatchers = self.dispatchers(opens=opens)
        dispatchers.work(at)
        dispatchers.wait()
        dispatchers.watch(at)
        dispatchers.close()

    def stop(self, *cards: str, case: str = "京公2026-1", at: datetime = NOW) -> None:
        for one in cards:
            self.book.transaction(
                lambda unit, one=one: police_stop(
                    unit, one, case, POLICE, "stop it", operator="甲", city="130100"
                ),  # type: ignore[misc]
                at,
            )

    def restore(self, *cards: str, at: datetime = NOW) -> None:
        for one in cards:
            self.book.police_release(one, OTHER, "it was an error", at)

    def requests(self) -> list[Any]:
        with self.store.reading() as connection:
            return list(connection.execute(select(account_requests).order_by(account_requests.c.id)))

    def states(self) -> list[str]:
        return sorted(row.state for row in self.requests())


def account_scene(store: Store, tmp_path: Path, *cards: str, **more: Any) -> AccountScene:
    """The scene: `cards` have an account on three platforms."""
    folder = tmp_path / "records"
    fill(folder, {"accounts": accounts_of(*(cards or (card(0),)))})
    return AccountScene(store, folder, **more)


SOON = timedelta(minutes=2)
