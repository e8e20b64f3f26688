"""Policy of victims: whom to look for, what speaks for danger, whom to warn, how long it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from duanka.domain.age_band import AgeBand
from duanka.domain.fraud_kind import FraudKind
from duanka.domain.victims import DangerSign

_POINTS = {
    DangerSign.LONG_TALK: 1,
    DangerSign.REPEATED: 3,
    DangerSign.MESSAGED: 0,
    DangerSign.CALLED_BACK: 0,
    DangerSign.BANK_AFTER: 4,
    DangerSign.CODES_AFTER: 1,
    DangerSign.SEVERAL_CARDS: 3,
    DangerSign.AGE: 1,
    DangerSign.LARGE_FRAUD: 1,
}


@dataclass(frozen=True)
class DangerStep:
    """A figure from which, or up to which, a sign gives `points` more."""

    figure: int
    points: int


@dataclass(frozen=True)
class VictimPolicy:
    """How victims are found, warned and called.

    `hours`: of contacts before a confirmation. `watch_hours`: after it, in which new contacts are looked for.
    `after_minutes`: how long after a contact a bank or a code counts as right after it. `family_days`: earlier days of
    contact both ways within `look_back_days` that make somebody family or friend. `least_seconds`: of the longest
    call; who talked less and wrote nothing is no victim. `call_minutes`: of the longest call, each step reached gives
    its points; `recent_hours`: since the last contact, each step not exceeded does. `talk_minutes`: of all calls;
    `repeated`: calls of `repeated_seconds` or longer; `several_cards`: confirmed cards on one person. `points`: of
    each other sign; `warn_points`, `call_points`: from which a person is warned, called. `ages`, `large_frauds`: which
    count. `escalate_after`: calls not reached; `claim_minutes`: how long one person keeps a call. `keep_days`: after
    the last change, until what is known of a victim is deleted. `batch`: warnings of one commit; `window`: those that
    are not answered yet.
    """

    hours: int = 72
    watch_hours: int = 72
    after_minutes: int = 30
    look_back_days: int = 30
    family_days: int = 5
    ring_percent: int = 50
    least_seconds: int = 30
    call_minutes: tuple[DangerStep, ...] = (
        DangerStep(1, 2),
        DangerStep(2, 2),
        DangerStep(3, 1),
        DangerStep(8, 1),
    )
    recent_hours: tuple[DangerStep, ...] = (DangerStep(1, 3), DangerStep(6, 2), DangerStep(24, 2))
    talk_minutes: int = 10
    repeated: int = 2
    repeated_seconds: int = 60
    several_cards: int = 2
    points: Mapping[DangerSign, int] = field(default_factory=lambda: dict(_POINTS))
    warn_points: int = 13
    call_points: int = 14
    ages: tuple[AgeBand, ...] = (AgeBand.OLD, AgeBand.MINOR)
    large_frauds: tuple[FraudKind, ...] = (
        FraudKind.FAKE_POLICE,
        FraudKind.INVESTMENT,
        FraudKind.ROMANCE,
    )
    escalate_after: int = 3
    claim_minutes: int = 30
    keep_days: int = 180
    batch: int = 500
    window: int = 200

    @property
    def after(self) -> timedelta:
        """`after_minutes` as a length of time."""
        return timedelta(minutes=self.after_minutes)
