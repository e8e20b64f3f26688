"""The commands that act on an order database, as the program has them, and the permission that each needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from duanka.cli import main as cli
from duanka.cli.shell.lazy import DeferredGroup
from duanka.domain.authority import Permission

# groups and commands that work on records, or carry orders out: no person of the order database acts there
RECORDS = {
    "cases",
    "scan",
    "live",
    "simulate",
    "evaluate",
    "config",
    "doctor",
    "mapping",
    "morning",
    "quarantine",
    "rules",
    "spec",
}
PROCESSES = {"serve", "demo", "call-proxy", "message-proxy"}


def all_commands() -> Iterator[tuple[str, Any]]:
    """Every command by its words."""
    yield from _under("", typer.main.get_command(cli.cli))


def commands() -> dict[str, Permission]:
    """Every command that a person of the order database gives, with the permission that it needs."""
    found = dict[str, Permission]()
    for words, command in all_commands():
        permission = getattr(command.callback, "permission", None)
        if permission is not None:
            found[words] = permission
    return found


def _under(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(command, DeferredGroup):
        command.load_all()
    under: dict[str, Any] | None = getattr(command, "commands", None)
    if under is not None:
        for name, one in under.items():
            yield from _under(f"{words} {name}".strip(), one)
    else:
        yield words, command
