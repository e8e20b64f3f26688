"""Parsing of a policy file's sections `[orders]` and `[messages]`."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from duanka.domain.errors import DuankaError, PolicyError
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.local_time import OperatorZone
from duanka.domain.network import NetworkState
from duanka.domain.order_policy import DeadlineStage, MessagePolicy, OrderPolicy
from duanka.policy_files import values

_YEAR_HOURS, _DAY_MINUTES = 24 * 366, 24 * 60  # hours, minutes
_SEVERITY = (NetworkState.ACTIVE, NetworkState.OUTGOING_BARRED, NetworkState.SUSPENDED)
_DIGITS = re.compile(r"\+?[0-9]{3,21}")
_CODE = re.compile(r"[a-z][a-z0-9_]{1,39}")
_SITE = re.compile(r"(?:https://[^\s/?#]+|http://(?:127\.0\.0\.1|localhost)(?::[0-9]+)?)(?:/[^\s?#]*)?")
_LINK = re.compile(r"[^\s/]+\.[^\s/]+(?:/\S*)?")

_AS_SHIPPED = IdentityPolicy()


def orders_of(path: Path, given: object, identity: IdentityPolicy = _AS_SHIPPED) -> OrderPolicy:
    """Parse `[orders]`; missing keys get OrderPolicy's defaults. PolicyError."""
    return OrderPolicy(**values.read(path, "orders", given, ORDERS), identity=identity)


def messages_of(path: Path, given: object) -> MessagePolicy:
    """Parse `[messages]`; without it no text is refused."""
    found = {**_NO_MESSAGES, **values.read(path, "messages", given, MESSAGES)}
    return MessagePolicy.of(**found)


def _stages(path: Path, where: str, value: object) -> tuple[DeadlineStage, ...]:
    rows = values.entries(path, where, value)
    if not rows:
        raise PolicyError(
            f'{path}: {where} needs at least one stage, like {{ hours = 24, state = "suspended" }}'
        )
    found = tuple(_stage(path, f"{where} {at}", row) for at, row in enumerate(rows, 1))
    for before, after in pairwise(found):
        if after.hours <= before.hours:
            raise PolicyError(
                f"{path}: {where} must come later one by one: {after.hours:g} hours follow {before.hours:g}"
            )
        if _SEVERITY.index(after.state) <= _SEVERITY.index(before.state):
            raise PolicyError(
                f"{path}: {where} must become stricter one by one: {after.state} follows {before.state}"
            )
    return found


def _stage(path: Path, where: str, row: object) -> DeadlineStage:
    if not isinstance(row, dict):
        raise PolicyError(f'{path}: {where} must be {{ hours = 24, state = "suspended" }}, not {row!r:.40}')
    values.known(path, where, row, ("hours", "state"))
    hours = values.above_zero(path, f"{where} hours", row.get("hours"), _YEAR_HOURS, "hours")
    state = row.get("state")
    if state not in _SEVERITY[1:]:
        raise PolicyError(f"{path}: {where} state must be {' or '.join(_SEVERITY[1:])}, not {state!r:.40}")
    return DeadlineStage(hours, NetworkState(state))


def _hours(path: Path, where: str, value: object) -> float:
    return values.above_zero(path, where, value, _YEAR_HOURS, "hours")


def _minutes(path: Path, where: str, value: object) -> float:
    return values.above_zero(path, where, value, _DAY_MINUTES, "minutes")


def _percent(path: Path, where: str, value: object) -> float:
    return values.above_zero(path, where, value, 100, "percent")


def _days(path: Path, where: str, value: object) -> int:
    return values.whole(path, where, value, 1, 60)


def _holidays(path: Path, where: str, value: object) -> tuple[object, ...]:
    rows = values.entries(path, where, value)
    return tuple(sorted({values.day(path, f"an entry of {where}", row) for row in rows}))


def _numbers(path: Path, where: str, value: object) -> tuple[str, ...]:
    return tuple(_number(path, f"an entry of {where}", one) for one in values.texts(path, where, value))


def _number(path: Path, where: str, value: object) -> str:
    if not isinstance(value, str) or not _DIGITS.fullmatch(value):
        raise PolicyError(f"{path}: {where} must be 3 to 21 digits in quotes, not {value!r:.40}")
    return value


def _zone(path: Path, where: str, value: object) -> str:
    try:
        return OperatorZone(str(value)).name
    except DuankaError as error:
        raise PolicyError(f"{path}: {where}: {error}") from error


def _reasons(path: Path, where: str, value: object) -> tuple[tuple[str, object], ...]:
    if not isinstance(value, dict) or not value:
        raise PolicyError(f'{path}: {where} must be {{ code = {{ zh = "…", en = "…" }} }}, not {value!r:.40}')
    found = tuple((code, values.words(path, f"{where} {code}", words)) for code, words in value.items())
    for code, words in found:
        if not _CODE.fullmatch(code) or any(any(map(str.isdigit, text)) for text in words):
            raise PolicyError(
                f"{path}: {where} {code!r:.40} must be a code like suspected_fraud, its texts without digits"
            )
    return found


def _holders(path: Path, where: str, value: object) -> int:
    return values.whole(path, where, value, 1, 1_000_000)


def _again(path: Path, where: str, value: object) -> int:
    return values.whole(path, where, value, 0, 3_660)


def _site(path: Path, where: str, value: object) -> str:
    if not isinstance(value, str) or not _SITE.fullmatch(value):
        raise PolicyError(f"{path}: {where} must be an address that begins with https://, not {value!r:.60}")
    return value


def _keywords(path: Path, where: str, value: object) -> tuple[str, ...]:
    found = values.texts(path, where, value)
    for one in found:
        if not all(word.strip() for word in one.split("+")):
            raise PolicyError(
                f"{path}: an entry of {where} is words joined by +, none of them empty, not {one!r:.40}"
            )
    return found


def _links(path: Path, where: str, value: object) -> tuple[str, ...]:
    found = values.texts(path, where, value)
    for one in found:
        if "://" in one or not _LINK.fullmatch(one):
            raise PolicyError(f"{path}: an entry of {where} is a host like bit.example, not {one!r:.60}")
    return found


def _per_minute(path: Path, where: str, value: object) -> int:
    return values.whole(path, where, value, 0, 1_000_000)


# One entry per field: a field that no file can set should be a constant.
ORDERS: dict[str, values.Reader] = {
    "stages": _stages,
    "hardships": values.texts,
    "hardship_hours": _hours,
    "two_people": values.flag,
    "link_hours": _hours,
    "objection_days": _days,
    "holidays": _holidays,
    "alarm_minutes": _minutes,
    "reconcile_minutes": _minutes,
    "reconcile_max": _percent,
    "protected": _numbers,
    "operator": values.words,
    "short_code": _number,
    "hotline": _number,
    "site": _site,
    "counter": values.words,
    "redress": values.words,
    "police_redress": values.words,
    "papers": values.words,
    "reasons": _reasons,
    "holders_a_day": _holders,
    "review_within": _hours,
    "ask_again_days": _again,
    "ask_again_rules": values.texts,
    "zone": _zone,
}
MESSAGES: dict[str, values.Reader] = {
    "keywords": _keywords,
    "links": _links,
    "per_minute": _per_minute,
    "trusted": values.texts,
    "trusted_accounts": values.texts,
}
_NO_MESSAGES: dict[str, Any] = {
    "keywords": (),
    "links": (),
    "per_minute": 0,
    "trusted": (),
    "trusted_accounts": (),
}
