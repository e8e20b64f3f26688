"""Wires linked accounts: the services, the looks at cards, and the links to platforms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from duanka.casework.accounts.dispatch import DispatchTerms, PlatformDispatchers
from duanka.casework.accounts.looking import AccountLooks
from duanka.casework.accounts.queries import AccountQueries
from duanka.casework.accounts.service import LinkedAccounts
from duanka.casework.desk import AccountServices
from duanka.domain.linked_accounts import AccountLookups, AccountPlatform, PlatformLink, TransportKind
from duanka.domain.policy import Policy
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.people.account_platforms import AccountPlatforms
from duanka.ledger.people.platform_signatures import PlatformSigner
from duanka.network.platforms.files import FilePlatform
from duanka.network.platforms.http import HttpPlatform


@dataclass(frozen=True)
class AccountDuties:
    """What the worker of `serve` does about linked accounts."""

    looks: AccountLooks
    platforms: PlatformDispatchers


def account_services(
    store: Store, trail: Trail, policy: Policy, records: Callable[[], AccountLookups], key: bytes
) -> AccountServices:
    """The services. `records`: LookupRefused: no store is attached. `key`: seals the rows of platforms."""
    platforms, protects = AccountPlatforms(store, trail, key), policy.orders.protects
    return AccountServices(
        linked=LinkedAccounts(store, trail, records, platforms, policy.accounts, protects),
        queries=AccountQueries(store, trail),
        platforms=platforms,
        policy=policy.accounts,
        protects=protects,
        records=records,
    )


def account_duties(
    services: AccountServices,
    store: Store,
    trail: Trail,
    alarms: AlarmService,
    worker: str,
    say: Callable[[str], None],
) -> AccountDuties:
    """The duties of one worker."""
    terms = DispatchTerms(store, trail, services.policy, alarms, worker, link_to)
    looks = AccountLooks(store, trail, services.records, services.policy, services.protects, alarms)
    return AccountDuties(looks, PlatformDispatchers(terms, services.platforms.in_force, say))


def link_to(platform: AccountPlatform) -> PlatformLink:
    """A link to a platform, by its transport. PlatformDown: our key for it cannot be used."""
    signer = PlatformSigner(platform)
    if platform.transport is TransportKind.FILES:
        return FilePlatform(Path(platform.address), signer)
    return HttpPlatform(platform.address, signer)
