"""Section of a statement: what records are kept, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from duanka.domain.record_lookups import StoreStatus
from duanka.domain.store_policy import StorePolicy
from duanka.orders.papers.statements import words
from duanka.orders.papers.statements.sections import Section, Telling

_KINDS = ("calls", "messages", "sightings", "data_days", "complaints")


def kept_data(status: StoreStatus | None, keep: StorePolicy, tell: Telling) -> Section:
    """`status`: of the attached store; None: there is none that can be read. `keep`: terms of the policy."""
    section = tell.section("records", ("kept", "span", "until"), list(_rows(status, keep, tell)))
    return section | {"notes": [tell.said(words.ALL_CARDS if status else words.NO_STORE)]}


def _rows(status: StoreStatus | None, keep: StorePolicy, tell: Telling) -> Iterator[tuple[str, str, str]]:
    tables = {one.table: one for one in status.tables} if status else {}
    for kind in _KINDS:
        found = tables.get(kind)
        if status and not (found and found.records):
            continue
        span = (
            found.first and found.last and tell.said(words.SPAN, first=found.first, last=found.last)
            if found
            else ""
        )
        last = found.last if found else None
        yield tell.said(words.RECORD_KINDS[kind]), span or "—", _until(last, keep.keep_records_days, tell)
    last_day = max(status.days, default=None) if status else None
    for kind, days in (("rollups", keep.keep_rollups_days), ("refusals", keep.keep_refusals_days)):
        yield tell.said(words.RECORD_KINDS[kind]), "—", _until(last_day, days, tell)
    yield tell.said(words.RECORD_KINDS["trail"]), "—", tell.said(words.FOR_GOOD)


def _until(last: date | None, days: int, tell: Telling) -> str:
    if last is None:
        return tell.said(words.DAYS_ONLY, days=days)
    return tell.said(words.DAYS_LATER, days=days, last=last + timedelta(days=days))
