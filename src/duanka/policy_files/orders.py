"""Models of a policy file's tables `[orders]` and `[messages]`."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator, TypeAdapter

from duanka.domain.errors import DuankaError
from duanka.domain.local_time import OperatorZone
from duanka.domain.network import NetworkState
from duanka.domain.order_policy import DeadlineStage, OrderPolicy
from duanka.domain.text import BilingualText
from duanka.policy_files.identity import Minutes
from duanka.policy_files.tables import Day, Distinct, Entry, Flag, ListOf, TomlTable, Words, fault, must_be

_DIGITS = r"^\+?[0-9]{3,21}$"
_CODE = re.compile(r"[a-z][a-z0-9_]{1,39}")
_SITE = r"^(?:https://[^\s/?#]+|http://(?:127\.0\.0\.1|localhost)(?::[0-9]+)?)(?:/[^\s?#]*)?$"
_LINE = re.compile(r"\+?[0-9]{3,21}|(?=.{3,21}$)[0-9]{2,}x{1,6}")
_LINK = re.compile(r"[^\s/]+\.[^\s/]+(?:/\S*)?")
_SHIPPED = OrderPolicy()

Hours = Annotated[float, Field(gt=0, le=8784), must_be("hours above 0, at most 8784")]  # a year
Percent = Annotated[float, Field(gt=0, le=100), must_be("percent above 0, at most 100")]
Days = Annotated[int, Field(ge=1, le=60), must_be("a whole number from 1 to 60")]
Holders = Annotated[int, Field(ge=1, le=1_000_000), must_be("a whole number from 1 to 1000000")]
CalendarDays = Annotated[int, Field(ge=0, le=3660), must_be("a whole number from 0 to 3660")]
ClueDays = Annotated[int, Field(ge=1, le=366), must_be("a whole number from 1 to 366")]
PerMinute = Annotated[int, Field(ge=0, le=1_000_000), must_be("a whole number from 0 to 1000000")]
Digits = Annotated[str, Field(pattern=_DIGITS), must_be("3 to 21 digits in quotes")]
Site = Annotated[str, Field(pattern=_SITE), must_be("an address that begins with https://")]


class _StageTable(TomlTable):
    SHAPE = '{ hours = 24, state = "suspended" }'

    hours: Hours = Field(default=None, validate_default=True)
    state: Annotated[
        Literal["outgoing_barred", "lifeline", "suspended"], must_be("outgoing_barred, lifeline or suspended")
    ] = Field(default=None, validate_default=True)


def _stage(given: object) -> DeadlineStage:
    found = _StageTable.model_validate(given)
    return DeadlineStage(found.hours, NetworkState(found.state))


def _in_order(stages: tuple[DeadlineStage, ...]) -> tuple[DeadlineStage, ...]:
    if not stages:
        raise fault(f"needs at least one stage, like {_StageTable.SHAPE}")
    for before, after in pairwise(stages):
        if after.hours <= before.hours:
            raise fault(f"must come later one by one: {after.hours:g} hours follow {before.hours:g}")
        if not before.state.is_milder_than(after.state):
            raise fault(f"must become stricter one by one: {after.state} follows {before.state}")
    return stages


_REASONS = TypeAdapter(
    Annotated[dict[str, Words], Field(min_length=1), must_be('{ code = { zh = "…", en = "…" } }')]
)


def _reasons(given: object) -> tuple[tuple[str, BilingualText], ...]:
    found = _REASONS.validate_python(given)
    for code, words in found.items():
        if not _CODE.fullmatch(code) or any(any(map(str.isdigit, text)) for text in words):
            raise fault(f"{code!r:.40} must be a code like suspected_fraud, its texts without digits")
    return tuple(found.items())


def _zone(given: object) -> str:
    try:
        return OperatorZone(str(given)).name
    except DuankaError as error:
        raise ValueError(f"[orders] zone: {error}") from error


def _digits(text: str) -> str:
    if not re.fullmatch(_DIGITS, text):
        raise fault(f"must be 3 to 21 digits in quotes, not {text!r:.60}")
    return text


def _line(text: str) -> str:
    if not _LINE.fullmatch(text):
        raise fault(f"must be 3 to 21 digits in quotes, of which the last may be x for any, not {text!r:.60}")
    return text


def _keyword(text: str) -> str:
    if not all(word.strip() for word in text.split("+")):
        raise fault(f"is words joined by +, none of them empty, not {text!r:.40}")
    return text


def _link(text: str) -> str:
    if "://" in text or not _LINK.fullmatch(text):
        raise fault(f"is a host like bit.example, not {text!r:.60}")
    return text


Stages = Annotated[ListOf[Annotated[DeadlineStage, PlainValidator(_stage)]], AfterValidator(_in_order)]
Holidays = Annotated[ListOf[Day], AfterValidator(lambda days: tuple(sorted(set(days))))]


class OrdersTable(TomlTable):
    """`[orders]`: the fields of OrderPolicy, but `identity` and `lifeline` have their own tables."""

    stages: Stages = _SHIPPED.stages
    hardships: Distinct[Entry] = _SHIPPED.hardships
    hardship_hours: Hours = _SHIPPED.hardship_hours
    two_people: Flag = _SHIPPED.two_people
    link_hours: Hours = _SHIPPED.link_hours
    objection_days: Days = _SHIPPED.objection_days
    restore_undecided: Flag = _SHIPPED.restore_undecided
    holidays: Holidays = _SHIPPED.holidays
    alarm_minutes: Minutes = _SHIPPED.alarm_minutes
    reconcile_minutes: Minutes = _SHIPPED.reconcile_minutes
    reconcile_max: Percent = _SHIPPED.reconcile_max
    protected: Distinct[Annotated[Entry, AfterValidator(_digits)]] = _SHIPPED.protected
    operator: Words = _SHIPPED.operator
    short_code: Digits = _SHIPPED.short_code
    hotline: Digits = _SHIPPED.hotline
    site: Site = _SHIPPED.site
    counter: Words = _SHIPPED.counter
    redress: Words = _SHIPPED.redress
    staff_redress: Words = _SHIPPED.staff_redress
    police_redress: Words = _SHIPPED.police_redress
    disowned_days: Days = _SHIPPED.disowned_days
    disowned_redress: Words = _SHIPPED.disowned_redress
    disowned_statement: Words = _SHIPPED.disowned_statement
    papers: Words = _SHIPPED.papers
    reasons: Annotated[tuple[tuple[str, BilingualText], ...], PlainValidator(_reasons)] = _SHIPPED.reasons
    holders_a_day: Holders = _SHIPPED.holders_a_day
    review_within: Hours = _SHIPPED.review_within
    ask_again_days: CalendarDays = _SHIPPED.ask_again_days
    ask_again_rules: Distinct[Entry] = _SHIPPED.ask_again_rules
    clue_days: ClueDays = _SHIPPED.clue_days
    zone: Annotated[str, PlainValidator(_zone)] = _SHIPPED.zone


class LifelineTable(TomlTable):
    """`[lifeline]`: the fields of LifelinePolicy."""

    numbers: Distinct[Annotated[Entry, AfterValidator(_line)]] = ()
    callers: Distinct[Annotated[Entry, AfterValidator(_line)]] = ()
    accounts: Distinct[Entry] = ()


class MessagesTable(TomlTable):
    """`[messages]`: the fields of MessagePolicy; with the defaults no text is refused."""

    keywords: Distinct[Annotated[Entry, AfterValidator(_keyword)]] = ()
    links: Distinct[Annotated[Entry, AfterValidator(_link)]] = ()
    per_minute: PerMinute = 0
    trusted: Distinct[Entry] = ()
    trusted_accounts: Distinct[Entry] = ()
