"""Suggests the column meant by a name that the file lacks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from difflib import get_close_matches

from duanka.domain.display import display_text

_MAX_LISTED_COLUMNS = 20  # maximum columns listed in an error
_DELIMITERS = (";", "\t", "|", ",", "^", "~", "\x01")
GUESS = "`duanka mapping guess` proposes a mapping (docs/MAPPING.md)"


def found_instead(name: str, columns: Sequence[str]) -> str:
    """Error text for a missing column `name`: the nearest one, and all columns."""
    if len(columns) == 1 and (other := next((one for one in _DELIMITERS if one in columns[0]), "")):
        said = json.dumps(other)
        return f"its header is one column {display_text(columns[0][:40])!r}: say `delimiter = {said}` in a mapping"
    near = nearest(name, columns)
    there = ", ".join(display_text(one[:40]) for one in columns[:_MAX_LISTED_COLUMNS]) + (
        ", …" if len(columns) > _MAX_LISTED_COLUMNS else ""
    )
    return f"did you mean {near!r}? found {there}" if near is not None else f"found {there}"


def nearest(name: str, columns: Sequence[str]) -> str | None:
    """The column probably meant by `name`: similar in spelling, else in meaning."""
    # imported only for errors: the table of names takes time to build
    from duanka.ingest.model.header_names import meanings, plain  # noqa: PLC0415

    known = {plain(column): column for column in reversed(columns)}
    wanted = plain(name)
    if wanted in known:
        return known[wanted]
    within = [
        text for text in known if min(len(text), len(wanted)) > 1 and (text in wanted or wanted in text)
    ]
    if within:
        return known[max(within, key=lambda text: (min(len(text), len(wanted)), -len(text)))]
    if near := get_close_matches(wanted, list(known), n=1, cutoff=0.6):
        return known[near[0]]
    meant = {one.meaning for one in meanings(name)}
    alike = [column for column in columns if meant & {one.meaning for one in meanings(column)}]
    return alike[0] if len(alike) == 1 else None
