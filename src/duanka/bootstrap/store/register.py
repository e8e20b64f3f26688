"""Wires where cards are registered, for orders that are opened by hand or on a police notice."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from duanka.bootstrap.order_resources import AttachedStore
from duanka.domain.card_facts import CardPlaces, no_places
from duanka.domain.errors import DuankaError
from duanka.domain.record_lookups import LookupRefused

_log = logging.getLogger("duanka.orders.register")


def registered_places(records: AttachedStore) -> CardPlaces:
    """What asks the attached store's register; no store, or one that cannot be read, knows no card.

    An order is never refused for that: a stop does not wait for a store to be mended.
    """
    if not records.is_named:
        return no_places

    def places(cards: Collection[str]) -> Mapping[str, tuple[str, str]]:
        try:
            return records.lookups().places_of(cards)
        except LookupRefused:
            return {}  # not attached: `duanka doctor` says so
        except DuankaError as error:
            _log.warning("the register cannot be read, so operator and city stay unknown: %s", error)
            return {}

    return places
