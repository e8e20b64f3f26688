"""`duanka config`: the settings in force."""

from __future__ import annotations

import typer

from duanka.cli_process import OUT
from duanka.settings import in_force, load_settings, setting_names


def add_settings(cli: typer.Typer) -> None:
    """Add the commands about settings."""
    cli.command()(config)


def config() -> None:
    """Print the settings in force in this shell; secrets are not shown (docs/SETTINGS.md)."""
    width = max(map(len, setting_names()))
    for name, value in in_force(load_settings()).items():
        OUT.print(f"{name:<{width}}  {value or '-'}", highlight=False, soft_wrap=True)
