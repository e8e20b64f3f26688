"""Modules that a command pays for only when it uses them: most commands need no database of orders, and no engine."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands for a module until something of it is asked for; neither it nor its package is imported before."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what looks over modules asks for these, and wants nothing of this one
            raise AttributeError(name)
        return getattr(import_module(self.__name__), name)


def lazily(name: str) -> ModuleType:
    """The module `name`, which is imported when something of it is first asked for."""
    return _Later(name)
