"""What a policy says about orders: deadlines, stages, whom nobody may stop, and the words of every notice."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from functools import cached_property

from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.network import NetworkState
from duanka.domain.words import Words

# Whom no order may ever touch: emergency, hotlines, police lines. A policy adds to them and takes none away.
ALWAYS_PROTECTED = (
    "110",
    "119",
    "120",
    "122",
    "999",
    "112",
    "911",
    "12110",
    "12119",
    "12395",
    "96110",
    "12381",
    "12321",
)

LOCAL = timezone(timedelta(hours=8), "Asia/Shanghai")  # no summer time since 1991

# What people write between digits and what is no digit at all: none of it makes another number.
_BETWEEN = str.maketrans("", "", " \t\r\n\u00a0\u200b\u202a\u202c\u202d\ufeff-‐‑‒–—―.()/+")
# A short line behind an area code, without the 0: Beijing 10, 20 to 29, and three digits from 3 on. What is longer than
# six digits behind an area code is a subscriber's line.
_WITH_AREA = re.compile(r"(?:10|2[0-9]|[3-9][0-9]{2})(?P<line>[0-9]{3,6})")
_SHORTEST = 3


def _national(number: str) -> tuple[str, bool]:
    """The number as dialled within China, and whether it says that it is Chinese: by 86 or by the 0 before an area."""
    bare = (number if number.isascii() else unicodedata.normalize("NFKC", number)).translate(_BETWEEN)
    if not bare.isdecimal():
        return number, False  # no number
    in_china = False
    international = bare.startswith("00") and len(bare) - 2 >= _SHORTEST
    bare = bare[2:] if international else bare
    while bare.startswith("86") and len(bare) - 2 >= _SHORTEST:
        bare, in_china = bare[2:], True
    if bare.startswith("0") and len(bare) - 1 >= _SHORTEST:
        bare, in_china = bare[1:], in_china or not international
    return bare, in_china


@dataclass(frozen=True)
class Stage:
    """`hours` after delivery of the notice, who has not answered is in `state`."""

    hours: float
    state: NetworkState


@dataclass(frozen=True)
class OrderPolicy:
    """How orders are carried out under a policy. Hours and minutes are of the clock, days are working days."""

    stages: tuple[Stage, ...] = (Stage(24, NetworkState.SUSPENDED),)
    hardships: tuple[str, ...] = ("roaming", "hospital", "disability")
    hardship_hours: float = 72
    two_people: bool = True
    link_hours: float = 72
    objection_days: int = 5
    holidays: tuple[date, ...] = ()
    alarm_minutes: float = 5
    reconcile_minutes: float = 5
    protected: tuple[str, ...] = ()
    operator: Words = Words("本运营商", "your operator")
    short_code: str = "10086"
    hotline: str = "10086"
    site: str = "https://verify.operator.example"
    counter: Words = Words("任一自有营业厅", "any of our own counters")
    redress: Words = Words(
        "如有异议，可拨打10086或到任一自有营业厅申诉，五个工作日内答复，核验通过立即复通",
        "If this is wrong, object by calling 10086 or at any of our own counters; you have an answer within five"
        " working days, and the card works again as soon as you have proved who you are",
    )
    papers: Words = Words("本人有效身份证件原件及本手机卡", "your own valid identity document and this card")
    identity: IdentityPolicy = IdentityPolicy()

    @property
    def answer_within(self) -> timedelta:
        """How long the holder has from delivery of the notice."""
        return timedelta(hours=self.stages[0].hours)

    def after(self, state: NetworkState) -> Stage | None:
        """The stage that follows the one which left the card in `state`; None: it was the last."""
        for stage, following in zip(self.stages, self.stages[1:], strict=False):
            if stage.state is state:
                return following
        return None

    def protects(self, card: str) -> bool:
        """Whether no order may touch `card`, however written: 110, +86 110, 0086110, 010-110 and 8610110 are one line.

        Whole numbers are compared and never beginnings, so that no number of a person is meant by accident.
        """
        national, in_china = _national(card)
        if national in self._protected:
            return True
        found = _WITH_AREA.fullmatch(national) if in_china else None
        return found is not None and found["line"] in self._protected

    @cached_property
    def _protected(self) -> frozenset[str]:
        return frozenset(_national(one)[0] for one in (*ALWAYS_PROTECTED, *self.protected))

    def working_days_after(self, now: datetime, days: int) -> datetime:
        """The moment `days` working days after `now`: Monday to Friday without `holidays`, by the operator's days."""
        day = now.astimezone(LOCAL)
        while days:
            day += timedelta(days=1)
            days -= day.weekday() < 5 and day.date() not in self.holidays
        return day.astimezone(now.tzinfo)


@dataclass(frozen=True)
class MessagePolicy:
    """What the message proxy refuses beside blocked numbers. `per_minute`: messages of one sender; 0: any number."""

    keywords: tuple[tuple[str, ...], ...] = ()
    links: tuple[str, ...] = ()
    per_minute: int = 0
    trusted: tuple[str, ...] = field(default=())

    @classmethod
    def of(
        cls, keywords: Iterable[str], links: Iterable[str], per_minute: int, trusted: Iterable[str]
    ) -> MessagePolicy:
        """A keyword entry is words that must all stand in the text, joined by +: "安全账户+转账"."""
        return cls(tuple(tuple(one.split("+")) for one in keywords), tuple(links), per_minute, tuple(trusted))
