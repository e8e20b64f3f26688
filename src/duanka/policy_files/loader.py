"""Parsing of a policy from TOML; see docs/POLICY.md for the format."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from duanka.domain.account_policy import AccountPolicy
from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.domain.errors import PolicyError
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.lifeline import LifelinePolicy
from duanka.domain.order_policy import MessagePolicy, OrderPolicy, TierWeights
from duanka.domain.policy import LISTS, Deciding, Policy, Setting
from duanka.domain.rule import Grade, Rule, RuleSource
from duanka.domain.schema import Column, ColumnKind, Table
from duanka.domain.store_policy import StorePolicy
from duanka.domain.text import BilingualText
from duanka.domain.victim_policy import VictimPolicy
from duanka.policy_files.accounts import AccountsTable
from duanka.policy_files.assessment import AssessmentTable
from duanka.policy_files.identity import Identity
from duanka.policy_files.orders import LifelineTable, MessagesTable, OrdersTable
from duanka.policy_files.store import StoreTable
from duanka.policy_files.tables import Day, Flag, Number, Text, TomlTable, must_be, read, refuse_unknown
from duanka.policy_files.victims import VictimsTable

Lists = dict[str, tuple[Mapping[str, object], ...]]


class SourcedTable(TomlTable):
    """A table with the source of its values."""

    authority: Text
    grade: Annotated[Grade, BeforeValidator(Grade)]

    @property
    def source(self) -> RuleSource:
        """Who set the values, and the quality of that source."""
        return RuleSource(self.authority, self.grade)


class HeadTable(SourcedTable):
    """`[policy]`: id, title, source and date of the policy."""

    id: Text
    title: Text
    title_en: Text
    since: Day
    authority_zh: Text | None = None


class DecidingTable(TomlTable):
    """`[deciding]`: how hits lead to an action, and the tiers of their weights."""

    mode: Annotated[Deciding, BeforeValidator(Deciding)]
    medium: Number = 1
    high: Number = 1


class RuleTable(TomlTable):
    """`[rules.NAME]`; its limits are checked by the rule."""

    SHAPE = "a table with weight, limits and shadow"

    weight: Number = 1.0
    limits: Annotated[dict[str, Any], must_be("a table of limits")] = {}
    shadow: Flag = False


class LimitTable(SourcedTable):
    """A limit with its source."""

    value: Any


class PolicyTable(TomlTable):
    """The whole file."""

    policy: HeadTable
    deciding: DecidingTable
    rules: dict[str, object]
    lists: object = {}
    orders: OrdersTable = OrdersTable()
    identity: Identity = IdentityPolicy()
    lifeline: LifelineTable = LifelineTable()
    messages: MessagesTable = MessagesTable()
    store: StoreTable = StoreTable()
    victims: VictimsTable = VictimsTable()
    accounts: AccountsTable = AccountsTable()
    assessment: AssessmentTable = AssessmentTable()


def read_policy(path: Path, rules: Collection[Rule]) -> Policy:
    """Read the policy at `path`; PolicyError names the wrong key and what is valid."""
    content = _toml(path)
    refuse_unknown(path, "the policy", content, PolicyTable.model_fields)
    for name in ("policy", "deciding", "rules"):
        if not isinstance(content.get(name), dict):
            raise PolicyError(f"{path}: the table [{name}] is missing; compare policies/national.toml")
    found = read(PolicyTable, path, content)
    head, deciding = found.policy, found.deciding
    known = {rule.id: rule for rule in rules}
    refuse_unknown(path, "[rules]", found.rules, known)
    if not found.rules:
        raise PolicyError(f"{path}: [rules] names no rule, so nothing would be found; add [rules.NAME]")
    if not 0 < deciding.medium <= deciding.high:
        raise PolicyError(f"{path}: [deciding] needs 0 < medium <= high")
    settings = {name: _setting(path, known[name], entry) for name, entry in found.rules.items()}
    policy = Policy(
        id=head.id,
        title=BilingualText(head.title, head.title_en),
        source=head.source,
        source_words=BilingualText(head.authority_zh or head.authority, head.authority),
        since=head.since,
        deciding=deciding.mode,
        medium=deciding.medium,
        high=deciding.high,
        rules=settings,
        lists=_lists(path, found.lists),
        orders=OrderPolicy(
            **dict(found.orders),
            identity=found.identity,
            weights=_weights(deciding, settings),
            lifeline=LifelinePolicy(**dict(found.lifeline)),
        ),
        messages=MessagePolicy.of(**dict(found.messages)),
        store=StorePolicy(**dict(found.store)),
        victims=VictimPolicy(**dict(found.victims)),
        accounts=AccountPolicy(**dict(found.accounts)),
        assessment=AssessmentPolicy(**dict(found.assessment)),
    )
    try:
        policy.check_retention(rules)
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from error
    return policy


def read_lists(path: Path) -> Lists:
    """Read `[[lists.NAME]]` from a file with lists only, such as an area list."""
    return _lists(path, _toml(path).get("lists", {}))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PolicyError(f"{path}: is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{path}: is not TOML: {error}") from error


def _weights(deciding: DecidingTable, rules: Mapping[str, Setting]) -> TierWeights | None:
    if deciding.mode is not Deciding.WEIGH:
        return None
    weights = tuple((rule, one.weight) for rule, one in rules.items() if not one.shadow)
    return TierWeights(weights, deciding.medium, deciding.high)


def _setting(path: Path, rule: Rule, entry: object) -> Setting:
    where = f"[rules.{rule.id}]"
    table = read(RuleTable, path, entry, where)
    refuse_unknown(path, f"{where} limits", table.limits, rule.limits)
    limits, authority = {}, {}
    for name, value in table.limits.items():
        limits[name] = value
        if isinstance(value, dict):
            limit = read(LimitTable, path, value, f"{where} limits.{name}")
            authority[name] = limit.source
            limits[name] = limit.value
        if fault := rule.limit_fault(name, limits[name]):
            raise PolicyError(f"{path}: {where} limits.{name} {fault}")
    return Setting(table.weight, limits, authority, table.shadow)


def _lists(path: Path, given: object) -> Lists:
    if not isinstance(given, dict):
        raise PolicyError(f"{path}: lists are written as [[lists.NAME]], not {given!r:.40}")
    refuse_unknown(path, "[lists]", given, LISTS)
    found: Lists = {}
    for name, rows in given.items():
        table = LISTS[name]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise PolicyError(f"{path}: the entries of a list are written as [[lists.{name}]]")
        for row in rows:
            refuse_unknown(path, f"[[lists.{name}]]", row, [column.name for column in table.columns])
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
        if not isinstance(value, date) or isinstance(value, datetime):
            raise PolicyError(f"{where}: {column.name} must be a day like 2021-06-02, not {value!r}")
        return
    form, words = _FORMS.get(column.name, (r"(?s).*", "a text in quotes"))
    if not isinstance(value, str) or not re.fullmatch(form, value):
        raise PolicyError(f"{where}: {column.name} must be {words}, not {value!r:.40}")
