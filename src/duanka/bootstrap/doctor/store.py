"""Check of the store of records: its folder, manifest, files, retention, and the order database it is attached to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from duanka.bootstrap.doctor.examination import (
    Finding,
    Installation,
    Level,
    OrderDatabaseUnusable,
    fault,
    ok,
    warning,
)
from duanka.bootstrap.doctor.folders import folder_troubles, free_room
from duanka.domain.local_time import OperatorZone
from duanka.domain.record_lookups import LookupRefused

if TYPE_CHECKING:
    from duanka.engine.store.manifest import Manifest

OLD = timedelta(days=2)  # age of the last commit that causes a warning


def store(found: Installation) -> Iterator[Finding]:
    """Check the store that DUANKA_STORE names."""
    folder = found.settings.store
    if folder is None:
        yield ok("not set up (DUANKA_STORE)")
        return
    if not folder.exists():
        yield warning(
            f"DUANKA_STORE: {folder} is not there",
            "`duanka morning` or `duanka scan DATA --store` makes it; or put DUANKA_STORE right",
        )
        return
    troubles = list(_folder(folder))
    yield from troubles
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        return
    from duanka.engine.store.manifest import missing, read_manifest  # noqa: PLC0415  # DuckDB takes 0.2 s

    manifest = read_manifest(folder)  # DuankaError: none, damaged, another version
    if lost := missing(folder, manifest.files):
        yield fault(
            f"{folder} lacks {lost}, which its manifest lists",
            "restore the folder from a backup, or begin a new store and scan the delivered files again",
        )
    troubles += (more := [*_age(manifest), *_retention(found, manifest)])
    yield from more
    yield from _attached(found, folder)
    if not troubles and not lost:
        size = sum(file.bytes for file in manifest.files.values())
        days = len({day for table in manifest.days for day in manifest.held(table)})
        yield ok(
            f"{folder}: version {manifest.version}, {days} days, {size / (1 << 20):,.0f} MB;"
            f" {free_room(folder)} free"
        )


def _folder(folder: Path) -> Iterator[Finding]:
    """It is ours alone: it holds everybody's calls."""
    found = folder.stat()
    if found.st_uid != os.geteuid():
        yield fault(
            f"{folder} belongs to another user (id {found.st_uid})",
            "chown it, with all in it, to the user of Duanka",
        )
    for one in folder_troubles(folder, "DUANKA_STORE", private=True):
        opened = one.next_step.startswith("chmod")
        yield fault(f"{one.text}: it holds everybody's calls", one.next_step) if opened else one


def _age(manifest: Manifest) -> Iterator[Finding]:
    at = manifest.committed_at
    if at is None:
        yield warning(
            "nothing was ever written to the store", "`duanka morning`, or `duanka scan DATA --store`"
        )
    elif OperatorZone(manifest.zone).now() - at > OLD:
        yield warning(
            f"the store was last written on {at:%Y-%m-%d %H:%M}",
            "see why `duanka morning` did not run since (its log, `systemctl list-timers`)",
        )


def _retention(found: Installation, manifest: Manifest) -> Iterator[Finding]:
    """As another policy may have purged it; one whose own retention is too short is refused when it is read."""
    from duanka.rules import RULES  # noqa: PLC0415  # only where there is a store

    rule, days = found.policy.longest_look_back(RULES)
    kept = manifest.kept.rollups
    if kept is not None and kept < days:
        yield warning(
            f"the store keeps rollups for {kept} days, and the rule {rule} looks back {days} days",
            "scan into it under the policy of DUANKA_POLICY, whose [store] keeps enough",
        )


def _attached(found: Installation, folder: Path) -> Iterator[Finding]:
    with suppress(OrderDatabaseUnusable):
        attached = found.order_database().desk.attached_store
        if not attached.is_attached:
            yield ok(
                f"{folder} answers no lookups and takes no refusals until a supervisor attaches it:"
                " `duanka store attach`"
            )
            return
        try:
            attached.check()
        except LookupRefused as error:
            yield Finding(Level.WARNING, str(error))
