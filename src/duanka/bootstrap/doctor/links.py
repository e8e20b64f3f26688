"""Check of the graph of links that the API answers from: its folder, version, whose it is, and how old."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from duanka.bootstrap.doctor.examination import (
    Finding,
    Installation,
    OrderDatabaseUnusable,
    fault,
    ok,
    warning,
)
from duanka.bootstrap.doctor.folders import folder_troubles
from duanka.bootstrap.links.ownership import must_belong_here
from duanka.domain.errors import DuankaError
from duanka.domain.record_lookups import LookupRefused

if TYPE_CHECKING:
    from duanka.links.graph.stored import GraphPeriod


def links(found: Installation) -> Iterator[Finding]:
    """Check the graph that DUANKA_LINKS names."""
    folder = found.settings.links
    if folder is None:
        yield ok("not set up (DUANKA_LINKS)")
        return
    if not folder.exists():
        yield warning(
            f"DUANKA_LINKS: {folder} is not there",
            f"`duanka links build STORE --out {folder}` makes it; or put DUANKA_LINKS right",
        )
        return
    troubles = list(_folder(folder))
    yield from troubles
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        return
    from duanka.links.graph.stored import period_of  # noqa: PLC0415  # polars and scipy take a second

    period = period_of(folder)  # DuankaError: none, damaged, another version
    troubles += (more := [*_owner(found, folder), *_age(found, folder, period)])
    yield from more
    if not troubles:
        yield ok(f"{folder}: {period.first} to {period.last}")


def _folder(folder: Path) -> Iterator[Finding]:
    """It is ours alone: it says who is linked with whom."""
    for one in folder_troubles(folder, "DUANKA_LINKS", private=True):
        opened = one.next_step.startswith("chmod")
        yield fault(f"{one.text}: it says who is linked with whom", one.next_step) if opened else one


def _owner(found: Installation, folder: Path) -> Iterator[Finding]:
    with suppress(OrderDatabaseUnusable):
        try:
            must_belong_here(folder, found.order_database().desk.attached_store)
        except LookupRefused as error:
            yield warning(str(error), "until then the API shows no rings")


def _age(found: Installation, folder: Path, period: GraphPeriod) -> Iterator[Finding]:
    store = found.settings.store
    if store is None:
        return
    from duanka.engine.store.life import counting_days  # noqa: PLC0415  # DuckDB takes 0.2 s
    from duanka.engine.store.manifest import read_manifest  # noqa: PLC0415

    with suppress(DuankaError):  # the store's own check says what is wrong with it
        days = counting_days(read_manifest(store).days)
        if days and max(days) > period.last:
            yield warning(
                f"the graph ends on {period.last}, and the store has records to {max(days)}",
                f"`duanka links build {store} --out {folder}` after each night (docs/LINKS.md)",
            )
