"""Wires the headline figures, which a command reads without the other services."""

from __future__ import annotations

from collections.abc import Callable

from duanka.assessment.figures.service import HeadlineQueries
from duanka.domain.card_facts import CardFacts
from duanka.domain.network import RefusalArchive
from duanka.domain.record_lookups import LookupRefused
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store


def headline(
    store: Store,
    trail: Trail,
    records: Callable[[], CardFacts],
    archive: Callable[[], RefusalArchive | None],
) -> HeadlineQueries:
    """The figures. `records`: LookupRefused: no store is attached; `archive`: the store's older refusals."""

    def register() -> CardFacts | None:
        try:
            return records()
        except LookupRefused:
            return None

    return HeadlineQueries(store, trail, archive, register)
