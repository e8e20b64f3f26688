"""Reads a policy from TOML, and refuses what it does not say clearly: see policies/national.toml for the form."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from duanka.domain.errors import PolicyError
from duanka.domain.policy import LISTS, Deciding, Policy, Setting
from duanka.domain.rule import Grade, Rule, Source
from duanka.domain.tables import Column, Kind, Table
from duanka.domain.words import Words

Lists = dict[str, tuple[Mapping[str, object], ...]]


def read_policy(path: Path, rules: Collection[Rule]) -> Policy:
    """Read the policy at `path`; PolicyError says which key is wrong and what would be right."""
    content = _toml(path)
    _known(path, "the policy", content, {"policy", "deciding", "rules", "lists"})
    head = _table(path, content, "policy")
    _known(path, "[policy]", head, {"id", "title", "title_en", "authority", "grade", "since"})
    deciding = _table(path, content, "deciding")
    _known(path, "[deciding]", deciding, {"mode", "medium", "high"})
    known = {rule.id: rule for rule in rules}
    settings = _table(path, content, "rules")
    _known(path, "[rules]", settings, set(known))
    try:
        policy = Policy(
            id=head["id"],
            title=Words(head["title"], head["title_en"]),
            source=Source(head["authority"], Grade(head["grade"])),
            since=head["since"],
            deciding=Deciding(deciding["mode"]),
            medium=float(deciding.get("medium", 1)),
            high=float(deciding.get("high", 1)),
            rules={name: _setting(path, known[name], entry) for name, entry in settings.items()},
            lists=_lists(path, content.get("lists", {})),
        )
    except KeyError as error:
        raise PolicyError(f"{path}: {error.args[0]} is missing") from error
    except ValueError as error:
        raise PolicyError(f"{path}: {error}") from error
    if not 0 < policy.medium <= policy.high:
        raise PolicyError(f"{path}: [deciding] needs 0 < medium <= high")
    return policy


def read_lists(path: Path) -> Lists:
    """Read the `[[lists.NAME]]` of a file that brings lists and nothing else, such as an area list."""
    return _lists(path, _toml(path).get("lists", {}))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PolicyError(f"{path}: is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{path}: is not TOML: {error}") from error


def _table(path: Path, content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name)
    if not isinstance(found, dict):
        raise PolicyError(f"{path}: the table [{name}] is missing; compare policies/national.toml")
    return found


def _known(path: Path, where: str, found: Mapping[str, Any], known: Collection[str]) -> None:
    for name in found:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; it knows {', '.join(sorted(known))}"
            raise PolicyError(f"{path}: {where} does not know {name!r}{hint}")


def _setting(path: Path, rule: Rule, entry: Mapping[str, Any]) -> Setting:
    where = f"[rules.{rule.id}]"
    _known(path, where, entry, {"weight", "limits"})
    weight = entry.get("weight", 1.0)
    if not isinstance(weight, int | float) or weight < 0:
        raise PolicyError(f"{path}: {where} weight must be a number from 0")
    given = entry.get("limits", {})
    _known(path, f"{where} limits", given, set(rule.limits))
    limits, authority = {}, {}
    for name, value in given.items():
        if isinstance(value, dict):
            _known(path, f"{where} limits.{name}", value, {"value", "authority", "grade"})
            authority[name] = Source(value["authority"], Grade(value["grade"]))
            limits[name] = value["value"]
        else:
            limits[name] = value
        wanted = date if isinstance(rule.limits[name].value, date) else int | float
        if not isinstance(limits[name], wanted) or isinstance(limits[name], bool):
            raise PolicyError(f"{path}: {where} limits.{name} must be like {rule.limits[name].value}")
    return Setting(float(weight), limits, authority)


def _lists(path: Path, given: Mapping[str, Any]) -> Lists:
    _known(path, "[lists]", given, set(LISTS))
    found: Lists = {}
    for name, rows in given.items():
        table = LISTS[name]
        for row in rows:
            _known(path, f"[[lists.{name}]]", row, {c.name for c in table.columns})
            for column in table.columns:
                _entry(path, table, column, row.get(column.name))
        found[name] = tuple(rows)
    return found


def _entry(path: Path, table: Table, column: Column, value: object) -> None:
    where = f"{path}: an entry of [[lists.{table.name}]]"
    if column.required and not value:
        areas = "; an area list without authority and dates is refused"
        why = areas if "authority" in table.required else ""
        raise PolicyError(f"{where} has no {column.name}{why}")
    if value is None:
        return
    if isinstance(value, date) != (column.kind is Kind.DAY):
        raise PolicyError(f"{where}: {column.name} must be a {column.kind}, not {value!r}")
    if column.name == "city" and not re.fullmatch(r"\d{2}|\d{4}|\d{6}", str(value)):
        raise PolicyError(f"{where}: city must be an administrative code of 2, 4 or 6 digits, not {value!r}")
