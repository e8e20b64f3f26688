"""Readers of values in policy files; each raises a PolicyError that names the key."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from duanka.domain.errors import PolicyError
from duanka.domain.rule import MOST
from duanka.domain.text import BilingualText

Reader = Callable[[Path, str, object], Any]


def table(path: Path, content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the required table `[name]`."""
    found = content.get(name)
    if not isinstance(found, dict):
        raise PolicyError(f"{path}: the table [{name}] is missing; compare policies/national.toml")
    return found


def known(path: Path, where: str, found: Mapping[str, Any], names: Collection[str]) -> None:
    """Refuse keys of `found` that are not in `names`: a misspelt one would be ignored."""
    for name in found:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; it knows {', '.join(sorted(names))}"
            raise PolicyError(f"{path}: {where} does not know {name!r}{hint}")


def read(path: Path, name: str, given: object, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Parse table `[name]`, each key by its reader; PolicyError also for unknown keys."""
    if not isinstance(given, dict):
        raise PolicyError(f"{path}: [{name}] must be a table, not {given!r:.40}")
    known(path, f"[{name}]", given, readers)
    return {key: readers[key](path, f"[{name}] {key}", value) for key, value in given.items()}


def text(path: Path, where: str, value: object) -> str:
    """Return a non-empty text."""
    if not isinstance(value, str) or not value.strip():
        raise PolicyError(f"{path}: {where} must be a text, not {value!r}")
    return value


def words(path: Path, where: str, value: object) -> BilingualText:
    """Return a text in both languages."""
    if not isinstance(value, dict):
        raise PolicyError(f'{path}: {where} must be {{ zh = "…", en = "…" }}, not {value!r:.40}')
    known(path, where, value, ("zh", "en"))
    return BilingualText(
        *(text(path, f"{where} {language}", value.get(language)) for language in ("zh", "en"))
    )


def day(path: Path, where: str, value: object) -> date:
    """Return a date without a time."""
    if not isinstance(value, date) or isinstance(value, datetime):
        raise PolicyError(f"{path}: {where} must be a day like 2021-06-02, not {value!r}")
    return value


def flag(path: Path, where: str, value: object) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise PolicyError(f"{path}: {where} must be true or false, not {value!r:.40}")
    return value


def number(path: Path, where: str, value: object) -> float:
    """Return a number of 0 or more."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST:
        return float(value)  # nan and inf are excluded before
    raise PolicyError(f"{path}: {where} must be a number from 0, not {value!r:.40}")


def above_zero(path: Path, where: str, value: object, most: float, unit: str) -> float:
    """Return a number of `unit` above 0, at most `most`."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most:
        return float(value)
    raise PolicyError(f"{path}: {where} must be {unit} above 0, at most {most:g}, not {value!r:.40}")


def whole(path: Path, where: str, value: object, least: int, most: int) -> int:
    """Return an integer from `least` to `most`."""
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise PolicyError(f"{path}: {where} must be a whole number from {least} to {most}, not {value!r:.40}")


def entries(path: Path, where: str, value: object) -> list[object]:
    """Return a list; the caller checks its items."""
    if not isinstance(value, list):
        raise PolicyError(f"{path}: {where} must be a list like [a, b], not {value!r:.40}")
    return value


def texts(path: Path, where: str, value: object) -> tuple[str, ...]:
    """Return a list of trimmed, distinct texts."""
    found = [text(path, f"an entry of {where}", one).strip() for one in entries(path, where, value)]
    if twice := {one for one in found if found.count(one) > 1}:
        raise PolicyError(f"{path}: {where} names {min(twice)!r:.40} twice; take one out")
    return tuple(found)
