"""Lookup of policies, rules and shipped files by name; loads no scan engine."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import date
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from duanka.domain.errors import DuankaError, PolicyError

if TYPE_CHECKING:
    from duanka.domain.policy import Policy
    from duanka.domain.rule import Literal, Rule


def shipped(folder: str, name: str) -> Path:
    """Path of a file shipped with Duanka, for example policies/national.toml."""
    inside = Path(str(resources.files("duanka"))) / folder / name
    return inside if inside.exists() else Path(__file__).parents[3] / folder / name


def policy_named(name: str) -> Policy:
    """Read a shipped policy by name, or any policy by path."""
    path = Path(name) if name.endswith(".toml") else shipped("policies", f"{name}.toml")
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in shipped("policies", "national.toml").parent.glob("*.toml")))
        raise PolicyError(f"no policy {name!r}: name one of {known}, or a FILE.toml")
    from duanka.policy_files.loader import read_policy  # noqa: PLC0415  # shell completion does not need it

    return read_policy(path, _rules())


def rule_named(rule_id: str) -> Rule:
    """The rule with id `rule_id`."""
    for rule in _rules():
        if rule.id == rule_id:
            return rule
    near = difflib.get_close_matches(rule_id, rule_ids(), 1) or [
        one for one in rule_ids() if rule_id and rule_id in one
    ]
    hint = f"did you mean {near[0]}?" if near else "`duanka rules list` names them"
    raise DuankaError(f"no rule {rule_id!r}; {hint}")


def rule_ids() -> list[str]:
    """All rule ids, in catalogue order."""
    return [rule.id for rule in _rules()]


def _rules() -> Sequence[Rule]:
    from duanka.rules import RULES  # noqa: PLC0415  # few commands need the whole catalogue

    return RULES


def mapping_named(path: Path) -> Path:
    """Path of a mapping file; a bare name means a shipped one."""
    inside = shipped("mappings", f"{path.name.removesuffix('.toml')}.toml")
    return inside if path.name == str(path) and not path.exists() and inside.exists() else path


def limit_of(rule: Rule, text: str) -> tuple[str, Literal]:
    """Parse `limit=value` of `rule`; DuankaError: no such limit, or an invalid value."""
    name, _, value = text.partition("=")
    if name not in rule.limits:
        raise DuankaError(f"--set {text!r}: rule {rule.id} has the limits {', '.join(rule.limits)}")
    default = rule.limits[name].value
    try:
        given = date.fromisoformat(value) if isinstance(default, date) else type(default)(value)
    except ValueError as error:
        raise DuankaError(f"--set {text!r}: {name} must be like {default}") from error
    if fault := rule.limit_fault(name, given):
        raise DuankaError(f"--set {text!r}: {name} {fault}")
    return name, given
