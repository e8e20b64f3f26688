"""Undo log for dictionaries; its cost grows with the changes, not with their size."""

from __future__ import annotations

from typing import Any


class UndoLog:
    """Changes dictionaries (without None values) and undoes changes since a mark."""

    def __init__(self) -> None:
        self._changes: list[tuple[dict[Any, Any], Any, Any]] = []  # dictionary, key, previous value

    @property
    def mark(self) -> int:
        """Return the present position in the log."""
        return len(self._changes)

    def put(self, into: dict[Any, Any], key: object, value: object) -> None:
        """Set `key` to `value`; None: delete it."""
        self._changes.append((into, key, into.get(key)))
        _put(into, key, value)

    def undo(self, mark: int) -> None:
        """Undo every change since the mark."""
        for into, key, was in reversed(self._changes[mark:]):
            _put(into, key, was)
        del self._changes[mark:]


def _put(into: dict[Any, Any], key: object, value: object) -> None:
    if value is None:
        into.pop(key, None)
    else:
        into[key] = value
