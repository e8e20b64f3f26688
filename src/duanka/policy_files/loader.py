"""Parsing of a policy from TOML; see docs/POLICY.md for the format."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from duanka.domain.errors import PolicyError
from duanka.domain.policy import LISTS, Deciding, Policy, Setting
from duanka.domain.rule import Grade, Rule, RuleSource
from duanka.domain.schema import Column, ColumnKind, Table
from duanka.domain.text import BilingualText
from duanka.policy_files import values
from duanka.policy_files.identity import identity_of
from duanka.policy_files.orders import messages_of, orders_of

_PARTS = ("policy", "deciding", "rules", "lists", "orders", "identity", "messages")
Lists = dict[str, tuple[Mapping[str, object], ...]]


def read_policy(path: Path, rules: Collection[Rule]) -> Policy:
    """Read the policy at `path`; PolicyError names the wrong key and what is valid."""
    content = _toml(path)
    values.known(path, "the policy", content, _PARTS)
    head = values.table(path, content, "policy")
    values.known(path, "[policy]", head, {"id", "title", "title_en", "authority", "grade", "since"})
    deciding = values.table(path, content, "deciding")
    values.known(path, "[deciding]", deciding, {"mode", "medium", "high"})
    known = {rule.id: rule for rule in rules}
    settings = values.table(path, content, "rules")
    values.known(path, "[rules]", settings, set(known))
    try:
        policy = Policy(
            id=values.text(path, "[policy] id", head["id"]),
            title=BilingualText(
                *(values.text(path, f"[policy] {key}", head[key]) for key in ("title", "title_en"))
            ),
            source=_source(path, "[policy]", head),
            since=values.day(path, "[policy] since", head["since"]),
            deciding=Deciding(deciding["mode"]),
            medium=values.number(path, "[deciding] medium", deciding.get("medium", 1)),
            high=values.number(path, "[deciding] high", deciding.get("high", 1)),
            rules={name: _setting(path, known[name], entry) for name, entry in settings.items()},
            lists=_lists(path, content),
            orders=orders_of(path, content.get("orders", {}), identity_of(path, content.get("identity", {}))),
            messages=messages_of(path, content.get("messages", {})),
        )
    except KeyError as error:
        raise PolicyError(f"{path}: {error.args[0]} is missing") from error
    except ValueError as error:  # a value unknown to Grade or Deciding
        raise PolicyError(f"{path}: {error}") from error
    if not policy.rules:
        raise PolicyError(f"{path}: [rules] names no rule, so nothing would be found; add [rules.NAME]")
    if not 0 < policy.medium <= policy.high:
        raise PolicyError(f"{path}: [deciding] needs 0 < medium <= high")
    return policy


def read_lists(path: Path) -> Lists:
    """Read `[[lists.NAME]]` from a file with lists only, such as an area list."""
    return _lists(path, _toml(path))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PolicyError(f"{path}: is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{path}: is not TOML: {error}") from error


def _source(path: Path, where: str, entry: Mapping[str, Any]) -> RuleSource:
    return RuleSource(values.text(path, f"{where} authority", entry["authority"]), Grade(entry["grade"]))


def _setting(path: Path, rule: Rule, entry: object) -> Setting:
    where = f"[rules.{rule.id}]"
    if not isinstance(entry, dict):
        raise PolicyError(
            f"{path}: {where} must be a table with weight, limits and shadow, not {entry!r:.40}"
        )
    values.known(path, where, entry, {"weight", "limits", "shadow"})
    weight = values.number(path, f"{where} weight", entry.get("weight", 1.0))
    shadow = values.flag(path, f"{where} shadow", entry.get("shadow", False))
    given = entry.get("limits", {})
    if not isinstance(given, dict):
        raise PolicyError(f"{path}: {where} limits must be a table of limits, not {given!r:.40}")
    values.known(path, f"{where} limits", given, set(rule.limits))
    limits, authority = {}, {}
    for name, value in given.items():
        limits[name] = value
        if isinstance(value, dict):
            values.known(path, f"{where} limits.{name}", value, {"value", "authority", "grade"})
            authority[name] = _source(path, f"{where} limits.{name}", value)
            limits[name] = value["value"]
        if fault := rule.limit_fault(name, limits[name]):
            raise PolicyError(f"{path}: {where} limits.{name} {fault}")
    return Setting(weight, limits, authority, shadow)


def _lists(path: Path, content: Mapping[str, Any]) -> Lists:
    given = content.get("lists", {})
    if not isinstance(given, dict):
        raise PolicyError(f"{path}: lists are written as [[lists.NAME]], not {given!r:.40}")
    values.known(path, "[lists]", given, set(LISTS))
    found: Lists = {}
    for name, rows in given.items():
        table = LISTS[name]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise PolicyError(f"{path}: the entries of a list are written as [[lists.{name}]]")
        for row in rows:
            values.known(path, f"[[lists.{name}]]", row, {c.name for c in table.columns})
            for column in table.columns:
                _entry(path, table, column, row.get(column.name))
            if "since" in row and row["since"] > row["until"]:
                raise PolicyError(
                    f"{path}: an entry of [[lists.{name}]] ends before it begins: {row['until']}"
                )
        found[name] = tuple(rows)
    return found


_FORMS = {
    "city": (r"[0-9]{2}|[0-9]{4}|[0-9]{6}", "an administrative code of 2, 4 or 6 digits"),
    "prefix": (r"[0-9]{1,15}", "the first digits of a number, in quotes"),
    "number": (r"[0-9]{3,15}", "digits as dialled, in quotes"),
}


def _entry(path: Path, table: Table, column: Column, value: object) -> None:
    where = f"{path}: an entry of [[lists.{table.name}]]"
    if column.required and (value is None or not str(value).strip()):
        areas = "; an area list without authority and dates is refused"
        why = areas if "authority" in table.required else ""
        raise PolicyError(f"{where} has no {column.name}{why}")
    if value is None:
        return
    if column.kind is ColumnKind.DAY:
        values.day(path, f"an entry of [[lists.{table.name}]]: {column.name}", value)
        return
    form, words = _FORMS.get(column.name, (r"(?s).*", "a text in quotes"))
    if not isinstance(value, str) or not re.fullmatch(form, value):
        raise PolicyError(f"{where}: {column.name} must be {words}, not {value!r:.40}")
