"""Columns in folder names as written by Hive and Spark: `dt=2021-05-17/x.parquet`."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import unquote

_NOTHING = "__HIVE_DEFAULT_PARTITION__"


def folder_columns(path: str, own: Collection[str] = ()) -> dict[str, str | None]:
    """Columns and values in the folders of `path`, except columns `own` of the file."""
    found: dict[str, str | None] = {}
    for folder in path.split("/")[:-1]:
        name, equals, value = folder.partition("=")
        if equals and name and unquote(name) not in own:
            found[unquote(name)] = None if value == _NOTHING else unquote(value)
    return found
