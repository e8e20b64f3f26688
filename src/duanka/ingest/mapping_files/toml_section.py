"""Tables of a TOML file with their place in it, for error messages."""

from __future__ import annotations

from collections.abc import Mapping as Values
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from duanka.domain.errors import MappingError


class Section:
    """One table; `where`: its place in the file; keys not `allowed` are errors."""

    def __init__(self, path: Path, where: str, values: Any, allowed: Sequence[str]) -> None:
        self.path = path
        self.where = where
        if not isinstance(values, dict):
            raise MappingError(f"{path}: {where} must be a table of keys")
        self.values: Values[str, Any] = values
        for key in values:
            if key not in allowed:
                near = get_close_matches(key, allowed, n=1)
                hint = f"did you mean {near[0]!r}?" if near else "it knows " + ", ".join(allowed)
                raise MappingError(f"{path}: {self._place(key)} is unknown; {hint}")

    def named(self, where: str) -> Section:
        """Return the same table with another description of its place."""
        return Section(self.path, where, self.values, tuple(self.values))

    def wrong(self, key: str, what: str) -> MappingError:
        """Return the error `what` about `key`."""
        return MappingError(f"{self.path}: {self._place(key)} {what}")

    def _place(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def section(self, key: str, allowed: Sequence[str]) -> Section:
        """Return the table `key`, or an empty one."""
        return Section(self.path, self._place(key), self.values.get(key, {}), allowed)

    def sections(self, key: str, allowed: Sequence[str]) -> list[Section]:
        """Return the tables of the array `key`, numbered from 1."""
        given = self.values.get(key, [])
        if not isinstance(given, list):
            raise self.wrong(key, f"must be written [[{key}]]")
        return [
            Section(self.path, f"{self._place(key)} {at}", one, allowed)
            for at, one in enumerate(given, start=1)
        ]

    def maybe_text(self, key: str) -> str | None:
        """Return the text of `key` or None; numbers and flags are converted to text."""
        value = self.values.get(key)
        return None if value is None else self._as_text(key, value)

    def text(self, key: str, default: str) -> str:
        """Return the text of `key`, or `default`."""
        found = self.maybe_text(key)
        return default if found is None else found

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the text or list of texts of `key` as a tuple; () without the key."""
        value = self.values.get(key, [])
        items = value if isinstance(value, list) else [value]
        return tuple(self._as_text(key, item) for item in items)

    def choice(self, key: str, choices: Sequence[str], default: str | None) -> str:
        """Return the text of `key`, one of `choices`; required if `default` is None."""
        if key not in self.values and default is not None:
            return default
        value = self.maybe_text(key)
        if value is None:
            raise self.wrong(key, "is missing; write one of " + ", ".join(choices))
        if value not in choices:
            near = get_close_matches(value, choices, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "write one of " + ", ".join(choices)
            raise self.wrong(key, f"cannot be {value!r}; {hint}")
        return value

    def flag(self, key: str) -> bool:
        """Return the flag `key`; False without it."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, f"must be true or false, not {value!r}")
        return value

    def number(self, key: str) -> float | None:
        """Return the number of `key`, or None."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, f"must be a number, not {value!r}")
        return float(value)

    def rows(self, key: str) -> Values[str, frozenset[str]]:
        """Return the row condition of `key`: column -> accepted texts."""
        given = self.values.get(key, {})
        if not isinstance(given, dict):
            raise self.wrong(key, 'must be a table such as { Telesrvc = ["11", "12"] }')
        section = Section(self.path, self._place(key), given, tuple(given))
        return {column: frozenset(section.texts(column)) for column in given}

    def _as_text(self, key: str, value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, str | int | float):
            raise self.wrong(key, f"must be text, not {value!r}")
        return str(value)
