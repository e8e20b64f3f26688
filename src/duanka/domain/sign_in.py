"""Signing in with a browser: login names, passwords, sessions, and what slows guessing down."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from duanka.domain.errors import DuankaError
from duanka.domain.order import Person
from duanka.domain.person import BadPerson
from duanka.domain.text import WordedEnum

LOGIN_PATTERN = r"[a-z0-9][a-z0-9._@-]{1,63}"
LEAST_LETTERS, MOST_LETTERS = 12, 128  # of a password
LEAST_DIFFERENT = 6  # different letters of a password
LEAST_KINDS, LONG_LETTERS = 3, 20  # kinds of letters of a password, unless it is as long as this
GENERATED_DAYS = 14  # days within which a generated password is changed
MOST_SESSIONS = 10  # open ones of a person; the oldest ends
CLOCK_SKEW = timedelta(minutes=5)  # a session used later than now by more is of a clock that was set back

# Seconds that a login name is locked after so many wrong passwords in a row; the last holds for all further ones. The
# first two cost nothing: they are slips. A day allows a hundred guesses at a login name, from however many addresses.
LOCK_SECONDS: Sequence[int] = (0, 0, 0, 5, 15, 60, 120, 300, 900)
FAILURES_FORGOTTEN = timedelta(days=1)  # after the last wrong password

# What guessers try first; a password counts without it. Lower case.
_COMMON = (
    *(
        "password",
        "passwd",
        "p@ssw0rd",
        "qwerty",
        "qazwsx",
        "asdfgh",
        "zxcvbn",
        "1q2w3e",
        "letmein",
        "welcome",
    ),
    *(
        "admin",
        "root",
        "duanka",
        "mima",
        "woaini",
        "5201314",
        "123456",
        "12345",
        "654321",
        "abc123",
        "abcdef",
    ),
    *("china", "beijing", "hebei", "mobile", "unicom", "telecom", "yidong", "liantong", "dianxin"),
)
_GENERATED_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none confused when read aloud
_GROUP, _GROUPS = 4, 3  # letters of a group, groups of a half: 59 bits
_HALF = "-".join([f"[{_GENERATED_LETTERS}]{{{_GROUP}}}"] * _GROUPS)
_GENERATED = re.compile(f"({_HALF})-({_HALF})")


class SignInRefused(DuankaError):
    """Login name or password wrong, the login name locked or unknown, the person disabled: all told alike."""


class WrongPassword(DuankaError):
    """Beside somebody who is signed in: their present password is wrong, or that of a second person."""


class BadPassword(DuankaError):
    """A password that is too easy to guess."""


class CredentialKind(WordedEnum):
    """By what a person signs in."""

    PASSWORD = "password", "口令"  # a kind
    SUBJECT = "subject", "统一身份"  # a subject of the OIDC issuer


class SessionEnd(WordedEnum):
    """Why a session is over."""

    SIGNED_OUT = "signed_out", "本人退出"
    REPLACED = "replaced", "重新登录"
    IDLE = "idle", "超时未操作"
    LONGEST = "longest", "超过最长时限"
    TOO_MANY = "too_many", "会话过多"
    PASSWORD = "password", "口令已更换"  # a reason
    ENDED = "ended", "被终止"
    DISABLED = "disabled", "人员已停用"


@dataclass(frozen=True)
class SessionTerms:
    """How long a session lasts: `idle` without a request, `longest` at all."""

    idle: timedelta = timedelta(minutes=15)
    longest: timedelta = timedelta(hours=12)


@dataclass(frozen=True)
class StaffSession:
    """Somebody who is signed in. `token`: the cookie's value, which only its browser has; "" in lists.

    `must_change`: nothing but another password can be given. `ends_at`: at the latest; `idle_at`: without a request.
    """

    id: str
    person: Person
    address: str
    begun_at: datetime
    seen_at: datetime
    ends_at: datetime
    idle_at: datetime
    ended_at: datetime | None = None
    must_change: bool = False
    token: str = field(default="", repr=False)

    def is_over(self, now: datetime) -> SessionEnd | None:
        """Why it is over; None: it is not."""
        if self.ended_at:
            return SessionEnd.ENDED
        if now >= self.ends_at:
            return SessionEnd.LONGEST
        is_idle = now >= self.idle_at or self.seen_at > now + CLOCK_SKEW
        return SessionEnd.IDLE if is_idle else None


def locked_for(failures: int, failed_at: datetime, now: datetime) -> timedelta:
    """How long a login name is still locked after so many wrong passwords in a row, the last at `failed_at`."""
    lasts = timedelta(seconds=LOCK_SECONDS[min(failures, len(LOCK_SECONDS) - 1)])
    left = failed_at + lasts - now
    # a clock that was ahead and was set back must not lock anybody until that time comes again
    return left if timedelta() < left <= lasts else timedelta()


def login_name(text: str) -> str:
    """Return `text` as a login name is stored; BadPerson if it cannot be one."""
    name = as_typed(text).lower()
    if not re.fullmatch(LOGIN_PATTERN, name):
        raise BadPerson(
            f"{text[:64]!r} cannot be a login name: write 2 to 64 of a-z, 0-9, '.', '_', '@' and '-', like wang.wei"
        )
    return name


def as_typed(text: str) -> str:
    """What was typed, whichever input method typed it: NFKC, without blanks around it."""
    return unicodedata.normalize("NFKC", text).strip()


def good_password(text: str, *names: str) -> str:
    """Return `text` as it is hashed. BadPassword: too short, or easily guessed. `names`: of its owner."""
    password = as_typed(text)
    if not LEAST_LETTERS <= len(password) <= MOST_LETTERS:
        raise BadPassword(
            f"a password has {LEAST_LETTERS} to {MOST_LETTERS} letters; this one has {len(password)}"
        )
    if any(unicodedata.category(letter).startswith("C") for letter in password):
        raise BadPassword("a password has no control or invisible letters")
    if len(set(password)) < LEAST_DIFFERENT:
        raise BadPassword(f"a password has {LEAST_DIFFERENT} different letters or more")
    if len(password) < LONG_LETTERS and len({*map(_kind, password)}) < LEAST_KINDS:
        raise BadPassword(
            "a password mixes three of: small letters, capitals, digits, other signs; one of"
            f" {LONG_LETTERS} letters or more need not"
        )
    rest = password.casefold()
    for known in (*(name.casefold() for name in names if len(name) > 2), *_COMMON):
        rest = rest.replace(known, "*")
    if len(rest) < LEAST_LETTERS - 2 or _is_a_row(rest) or _is_a_row(password.casefold()):
        raise BadPassword(
            "this password is easily guessed: it is little more than a name, a common password or a row of the keyboard"
        )
    return password


def _kind(letter: str) -> str:
    if letter.isdigit():
        return "digit"
    return "capital" if letter.isupper() else "small" if letter.islower() else "other"


def _is_a_row(text: str) -> bool:
    """Whether nearly every letter follows from the one before: 1111, abcd, 9876."""
    steps = [ord(after) - ord(before) for before, after in pairwise(text)]
    return sum(step in (-1, 0, 1) for step in steps) > len(steps) * 2 // 3


def new_password_half() -> str:
    """Draw half of a generated password: three groups of four letters, 59 bits."""
    groups = ("".join(secrets.choice(_GENERATED_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def generated_halves(password: str) -> tuple[str, str] | None:
    """Both halves of a generated password; None: it is none."""
    found = _GENERATED.fullmatch(as_typed(password).lower())
    return (found[1], found[2]) if found else None
