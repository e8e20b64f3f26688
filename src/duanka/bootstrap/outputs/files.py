"""A single file that a person names for an export: nothing that is there already is lost."""

from __future__ import annotations

import os
import re
from pathlib import Path

from duanka.bootstrap.order_resources import DATABASE
from duanka.bootstrap.settings import Settings
from duanka.bootstrap.store.folders import must_lie_outside
from duanka.domain.errors import DuankaError

# What earlier exports have, of the kinds that are written again to the same file, by cron or after a correction.
PASSES = re.compile(rb'"sha256": ?"[0-9a-f]{64}"')
CASE_SOURCES = re.compile(rb'\A\{"seq": ?1, ?"sources": ?\[')
TRAIL_END = re.compile(rb'\A\{"installation": ?"')
SPECIFICATION = re.compile(rb"\A<!doctype html.*duanka spec|\A%PDF-", re.DOTALL)
FIGURES = re.compile(rb'\A\{\s*"date": .*"measured": ', re.DOTALL)
RINGS = re.compile(rb"\APAR1.*certainty.*PAR1\Z", re.DOTALL)
OUTLET_BATCHES = re.compile(rb"\APAR1.*together.*PAR1\Z", re.DOTALL)
MAPPING = re.compile(rb"^#? ?\[\[source", re.MULTILINE)


def may_export(
    path: Path,
    option: str,
    settings: Settings,
    *,
    earlier: re.Pattern[bytes] | None = None,
    own: Path | None = None,
) -> None:
    """DuankaError where an export to `path`, which `option` named, would harm what is there.

    Refused: inside a store, inside the folder of an order database, or a file that is there, except an earlier
    export: one whose content has `earlier`. `own`: where the settings have this export, which may be written anew.
    Call it before the export is made and stands in the audit trail.
    """
    if own and path.resolve() == own.resolve():
        return
    must_lie_outside(path, option)
    real = path.resolve()
    orders = settings.orders.resolve()
    for folder in real.parents:
        if folder == orders or os.path.isfile(folder / DATABASE):
            raise DuankaError(
                f"{option} {path} lies inside the folder of an order database, {folder}; choose another folder"
            )
    if real.is_dir():
        raise DuankaError(f"{option} {path} is a folder; name a file in it")
    if os.path.lexists(path) and not _has(real, earlier):
        raise DuankaError(f"{option} {path} is there already; name another file, or move it away")


def _has(path: Path, earlier: re.Pattern[bytes] | None) -> bool:
    """Whether `path` is an earlier export. What cannot be read, or is no file, is none."""
    if earlier is None or not path.is_file():
        return False
    try:
        return earlier.search(path.read_bytes()) is not None
    except OSError:
        return False
