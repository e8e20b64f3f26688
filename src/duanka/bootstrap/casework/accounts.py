"""Wires linked accounts: the services, the looks at cards, and the links to platforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from duanka.casework.accounts.dispatch import DispatchTerms, PlatformDispatchers
from duanka.casework.accounts.looking import AccountLooks
from duanka.casework.accounts.queries import AccountQueries
from duanka.casework.accounts.service import LinkedAccounts
from duanka.casework.accounts.takedown import TakedownItems
from duanka.casework.accounts.upkeep import AccountUpkeep
from duanka.casework.desk import AccountServices
from duanka.domain.linked_accounts import AccountLookups, AccountPlatform, PlatformLink, TransportKind
from duanka.domain.policy import Policy
from duanka.domain.takedown import ComplaintLookups, MessageFilter
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.people.account_platforms import AccountPlatforms
from duanka.ledger.people.platform_signatures import PlatformSigner
from duanka.network.platforms.files import FilePlatform
from duanka.network.sms.proxy.indicators import normalised


class AccountRecords(AccountLookups, ComplaintLookups, Protocol):
    """The lookups that linked accounts need of a store."""


@dataclass(frozen=True)
class AccountDuties:
    """What the worker of `serve` does about linked accounts."""

    looks: AccountLooks
    platforms: PlatformDispatchers
    upkeep: AccountUpkeep

    def look(self, now: datetime) -> bool:
        """Turn changed grounds into requests and releases; return whether more wait."""
        return self.looks.work(now)


def account_services(
    store: Store, trail: Trail, policy: Policy, records: Callable[[], AccountRecords], key: bytes
) -> AccountServices:
    """The services. `records`: LookupRefused: no store is attached. `key`: seals the rows of platforms."""
    platforms, protects = AccountPlatforms(store, trail, key), policy.orders.protects
    return AccountServices(
        store=store,
        trail=trail,
        linked=LinkedAccounts(store, trail, records, platforms, policy.accounts, protects),
        queries=AccountQueries(store, trail),
        items=TakedownItems(
            store, trail, policy.accounts, normalised, records, protects, policy.orders.local_time
        ),
        platforms=platforms,
        policy=policy.accounts,
        protects=protects,
        records=records,
    )


def account_duties(
    services: AccountServices,
    alarms: AlarmService,
    worker: str,
    say: Callable[[str], None],
    filters: Callable[[], Sequence[MessageFilter]],
) -> AccountDuties:
    """The duties of one worker. `filters`: makes a connection to each message filter."""
    store, trail = services.store, services.trail
    terms = DispatchTerms(store, trail, services.policy, alarms, worker, link_to)
    looks = AccountLooks(store, trail, services.records, services.policy, services.protects, alarms)
    dispatchers = PlatformDispatchers(terms, services.platforms.in_force, say)
    upkeep = AccountUpkeep(store, trail, services.policy, services.items, looks, filters, alarms)
    return AccountDuties(looks, dispatchers, upkeep)


def link_to(platform: AccountPlatform) -> PlatformLink:
    """A link to a platform, by its transport. PlatformDown: our key for it cannot be used."""
    signer = PlatformSigner(platform)
    if platform.transport is TransportKind.FILES:
        return FilePlatform(Path(platform.address), signer)
    from duanka.network.platforms.http import HttpPlatform  # noqa: PLC0415  # httpx takes 0.1 s

    return HttpPlatform(platform.address, signer)
