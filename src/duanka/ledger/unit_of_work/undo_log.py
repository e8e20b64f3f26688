"""Changes of dictionaries that can be taken back: a log costs what was changed, and a copy costs what there is."""

from __future__ import annotations

from typing import Any


class UndoLog:
    """Puts values into dictionaries, none of which is None, and takes back what was put in since a mark."""

    def __init__(self) -> None:
        self._changes: list[tuple[dict[Any, Any], Any, Any]] = []  # with what was there before

    @property
    def mark(self) -> int:
        """How far it goes now."""
        return len(self._changes)

    def put(self, into: dict[Any, Any], key: object, value: object) -> None:
        """Put `value` under `key`; None: take out what is there."""
        self._changes.append((into, key, into.get(key)))
        _put(into, key, value)

    def undo(self, mark: int) -> None:
        """Take back every change since the mark."""
        for into, key, was in reversed(self._changes[mark:]):
            _put(into, key, was)
        del self._changes[mark:]


def _put(into: dict[Any, Any], key: object, value: object) -> None:
    if value is None:
        into.pop(key, None)
    else:
        into[key] = value
