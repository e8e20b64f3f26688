"""Deferred imports: `duanka --help` loads neither engine nor database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def new_group(commands: typer.Typer, name: str) -> typer.Typer:
    """A new group of `commands`; `cli.main.COMMANDS` has its help."""
    group = typer.Typer(no_args_is_help=True)
    commands.add_typer(group, name=name)
    return group


class DeferredGroup(TyperGroup):
    """Command group that lists commands from a table and imports only the one used."""

    helps: ClassVar[Mapping[str, str]] = {}
    modules: ClassVar[Mapping[str, str]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._waiting = dict(self.modules)
        for name, told in self.helps.items():
            self.commands.setdefault(name, TyperCommand(name, help=told))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Resolve the command typed, after importing its module."""
        if args:
            self.load(args[0])
        return super().resolve_command(ctx, args)

    def load(self, name: str) -> None:
        """Import the command `name` with the others of its module; no-op if unknown or already imported."""
        if name not in self._waiting:
            return
        commands: typer.Typer = import_module(f"duanka.cli.{self._waiting[name]}").commands
        for added, command in get_group(commands).commands.items():
            if self._waiting.pop(added, None):
                command.help = command.help or self.helps[added]
                self.commands[added] = command

    def load_all(self) -> None:
        """Import every command."""
        for name in tuple(self._waiting):
            self.load(name)


def deferred_group(helps: Mapping[str, str], modules: Mapping[str, Iterable[str]]) -> type[DeferredGroup]:
    """A group class with these commands, in this order.

    `helps`: command -> its summary line. `modules`: module below `duanka.cli` -> the commands in its `commands`.
    """
    module_of = {name: module for module, names in modules.items() for name in names}
    return type("Commands", (DeferredGroup,), {"helps": helps, "modules": module_of})
