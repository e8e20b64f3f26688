"""Opens an order database for a command that reads it without all of its services."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from duanka.bootstrap.order_resources import (
    AttachedStore,
    database_of,
    elements_of,
    end_folders,
    forms_of,
    secret_of,
)
from duanka.bootstrap.settings import Settings
from duanka.domain.local_time import use_zone
from duanka.domain.policy import Policy
from duanka.domain.sealing import derived
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.installation import OlderVersion, SecretKeys, Upgrade
from duanka.ledger.people.kept_people import KeptPeople
from duanka.ledger.people.keys import Keys
from duanka.ledger.unit_of_work.network_elements import NetworkElements


@dataclass(frozen=True)
class OpenedLedger:
    """An order database that is open: its trail, the keys of people, and the store of records beside it."""

    store: Store
    trail: Trail
    keys: Keys
    records: AttachedStore


@contextmanager
def opened_ledger(
    settings: Settings, policy: Policy, upgrade: Callable[[], Upgrade]
) -> Iterator[OpenedLedger]:
    """Open the order database as `bootstrap.orders.desk` does, without its services, which take long to import.

    `upgrade`: returns how one of an earlier version is upgraded. Raises what `desk` raises.
    """
    use_zone(policy.orders.zone)
    store = _opened(settings, upgrade)
    secret = secret_of(settings)
    root = forms_of(secret)[store.secret_form]
    records = AttachedStore(settings.store, derived(root, "record store"), settings.threads)
    try:
        trail = Trail(derived(root, "audit"))
        elements = NetworkElements(store, trail)
        elements.check(elements_of(settings))
        kept = KeptPeople(store, trail, lambda: end_folders(settings, elements))
        yield OpenedLedger(store, trail, Keys(store, trail, kept), records)
    finally:
        records.close()
        store.close()


def _opened(settings: Settings, upgrade: Callable[[], Upgrade]) -> Store:
    def seals(is_new: bool) -> list[bytes]:
        return [keys.installation for keys in keys_of(secret_of(settings, is_new))]

    try:
        return Store(database_of(settings), seals, create=False)
    except OlderVersion:
        return Store(database_of(settings), seals, create=False, upgrade=upgrade())


def keys_of(secret: bytes) -> list[SecretKeys]:
    """The keys of each form of the secret."""
    return [SecretKeys(derived(one, "installation"), derived(one, "audit")) for one in forms_of(secret)]
