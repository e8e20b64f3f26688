"""What a shell completes where no list of values stands in the code: policies and rules, by their files."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from duanka.domain.police_reasons import CLAIMED, CONFIRMED


def policies_like(incomplete: str) -> list[str]:
    """The shipped policies that begin so; a FILE.toml is for the shell."""
    return _like(incomplete, _names("policies", "*.toml"))


def rules_like(incomplete: str) -> list[str]:
    """The rules that begin so. The rules themselves are not imported: that takes longer than the rest."""
    return _like(incomplete, _names("rules", "*.py"))


def reasons_like(incomplete: str) -> list[str]:
    """The reasons of an order that begin so: rules, and what the police say."""
    return _like(incomplete, [*_names("rules", "*.py"), CLAIMED, CONFIRMED])


def _names(folder: str, pattern: str) -> list[str]:
    inside = Path(str(resources.files("duanka"))) / folder
    found = inside if inside.exists() else Path(__file__).parents[2] / folder
    return sorted(path.stem for path in found.glob(pattern) if not path.stem.startswith("_"))


def _like(incomplete: str, names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
