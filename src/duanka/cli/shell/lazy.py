"""Deferred imports: `duanka --help` loads neither engine nor database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group


class _Later(ModuleType):
    """Placeholder for a module, imported at the first access to an attribute.

    Neither the module nor its package is imported before.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # tools that inspect modules read dunder names of all modules
            raise AttributeError(name)
        return getattr(import_module(self.__name__), name)


def lazily(name: str) -> ModuleType:
    """The module `name`, imported at the first access to an attribute."""
    return _Later(name)


@dataclass(frozen=True)
class DeferredCommand:
    """A command or group whose module is imported when it runs.

    `help`: its summary line.
    """

    name: str
    help: str
    add: Callable[[typer.Typer], None]  # adds it, and possibly related commands, to an application


class DeferredGroup(TyperGroup):
    """Command group that lists commands from a table and imports only the one used."""

    deferred: ClassVar[tuple[DeferredCommand, ...]] = ()

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._waiting = {one.name: one for one in self.deferred}
        for one in self.deferred:
            self.commands.setdefault(one.name, TyperCommand(one.name, help=one.help))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Resolve the command typed, after importing its module."""
        if args:
            self.load(args[0])
        return super().resolve_command(ctx, args)

    def load(self, name: str) -> None:
        """Import the command `name`; no-op if unknown or already imported."""
        one = self._waiting.pop(name, None)
        if one is None:
            return
        apart = typer.Typer()
        one.add(apart)
        for added, command in get_group(apart).commands.items():
            if added == name or added in self._waiting:
                self._waiting.pop(added, None)
                self.commands[added] = command

    def load_all(self) -> None:
        """Import every command."""
        for name in tuple(self._waiting):
            self.load(name)


def deferred_group(commands: Iterable[DeferredCommand]) -> type[DeferredGroup]:
    """A group class with these commands, in this order."""
    return type("Commands", (DeferredGroup,), {"deferred": tuple(commands)})
