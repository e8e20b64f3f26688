"""Deferred imports: `duanka --help` loads neither engine nor database."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from duanka.cli.shell.language import language_of_texts


class _Later(ModuleType):
    """Placeholder for a module, imported at the first access to an attribute.

    Neither the module nor its package is imported before.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # tools that inspect modules read dunder names of all modules
            raise AttributeError(name)
        return getattr(_imported(self.__name__), name)


def _imported(name: str) -> ModuleType:
    """Import a module and what it needs, without a garbage collection on the way.

    What an import makes stays as long as the process: it is never looked through, now or later.
    """
    if name in sys.modules or not gc.isenabled():
        return import_module(name)
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def lazily(name: str) -> ModuleType:
    """The module `name`, imported at the first access to an attribute."""
    return _Later(name)


def new_group(commands: typer.Typer, name: str) -> typer.Typer:
    """A new group of `commands`; `cli.main.COMMANDS` has its help."""
    group = typer.Typer(no_args_is_help=True)
    commands.add_typer(group, name=name)
    return group


@contextmanager
def _display_language() -> Iterator[None]:
    """Show texts of the command library in the display language within the context."""
    if language_of_texts() == "en":
        yield
        return
    from duanka.cli.shell.chinese import library_in_chinese  # noqa: PLC0415  # only for help and errors in Chinese

    with library_in_chinese():
        yield


class ShownCommand(TyperCommand):
    """Command whose help is in the display language."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        with _display_language():
            super().format_help(ctx, formatter)


class ShownGroup(TyperGroup):
    """Group of commands whose help is in the display language."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        with _display_language():
            super().format_help(ctx, formatter)


def _show(app: typer.Typer) -> None:
    """Let the commands and groups of `app` show their help in the display language."""
    for command in app.registered_commands:
        command.cls = ShownCommand if command.cls in (None, TyperCommand) else command.cls
    for group in app.registered_groups:
        if group.typer_instance:
            group.typer_instance.info.cls = ShownGroup
            _show(group.typer_instance)


class DeferredGroup(ShownGroup):
    """Command group that lists commands from a table and imports only the one used.

    Usage errors are reported in the display language.
    """

    helps: ClassVar[Mapping[str, str]] = {}
    modules: ClassVar[Mapping[str, str]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._until_shown = ExitStack()
        self._waiting = dict(self.modules)
        for name, told in self.helps.items():
            self.commands.setdefault(name, TyperCommand(name, help=told))

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command typed."""
        with ExitStack() as self._until_shown:
            return super().main(*args, **options)

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Parse the options before the command's name."""
        with self._errors_in_display_language():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with self._errors_in_display_language():
            return super().invoke(ctx)

    @contextmanager
    def _errors_in_display_language(self) -> Iterator[None]:
        try:
            yield
        except (typer.TyperException, typer.Abort, EOFError):
            self._until_shown.enter_context(_display_language())
            raise

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Resolve the command typed, after importing its module."""
        if args:
            self.load(args[0])
        return super().resolve_command(ctx, args)

    def load(self, name: str) -> None:
        """Import the command `name` with the others of its module; no-op if unknown or already imported."""
        if name not in self._waiting:
            return
        for added, command in _commands_of(self._waiting[name]).items():
            if self._waiting.pop(added, None):
                command.help = command.help or self.helps[added]
                self.commands[added] = command

    def load_all(self) -> None:
        """Import every command."""
        for name in tuple(self._waiting):
            self.load(name)


@cache
def _commands_of(module: str) -> Mapping[str, Any]:
    """The commands of a module below `duanka.cli`; a process that runs many commands builds them once."""
    commands: typer.Typer = _imported(f"duanka.cli.{module}").commands
    _show(commands)
    return get_group(commands).commands


def deferred_group(helps: Mapping[str, str], modules: Mapping[str, Iterable[str]]) -> type[DeferredGroup]:
    """A group class with these commands, in this order.

    `helps`: command -> its summary line. `modules`: module below `duanka.cli` -> the commands in its `commands`.
    """
    module_of = {name: module for module, names in modules.items() for name in names}
    return type("Commands", (DeferredGroup,), {"helps": helps, "modules": module_of})
