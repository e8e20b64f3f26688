"""Modules and commands that are imported when they are used: `duanka --help` needs no engine and no database."""

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
    """Stands for a module until something of it is asked for; neither it nor its package is imported before."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what looks over modules asks for these, and wants nothing of this one
            raise AttributeError(name)
        return getattr(import_module(self.__name__), name)


def lazily(name: str) -> ModuleType:
    """The module `name`, which is imported when something of it is first asked for."""
    return _Later(name)


@dataclass(frozen=True)
class DeferredCommand:
    """A command or group whose module is imported when it is run. `help`: its line in the list of commands."""

    name: str
    help: str
    add: Callable[[typer.Typer], None]  # adds it, and perhaps its neighbours, to an application


class DeferredGroup(TyperGroup):
    """A group that lists its commands from a table and imports the one that was typed."""

    deferred: ClassVar[tuple[DeferredCommand, ...]] = ()

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._waiting = {one.name: one for one in self.deferred}
        for one in self.deferred:
            self.commands.setdefault(one.name, TyperCommand(one.name, help=one.help))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that was typed, with its module."""
        if args:
            self.load(args[0])
        return super().resolve_command(ctx, args)

    def load(self, name: str) -> None:
        """Import the command `name`; nothing for an unknown one, or one that is here already."""
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
    """The class of a group with these commands, in this order."""
    return type("Commands", (DeferredGroup,), {"deferred": tuple(commands)})
