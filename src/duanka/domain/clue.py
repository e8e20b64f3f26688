"""Clues for the police: their states, and the one table of transitions between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from duanka.domain.authority import Permission
from duanka.domain.order import NoSuchTransition, OrderError
from duanka.domain.text import WordedEnum


class ClueError(OrderError):
    """The clue cannot be built, or changed as requested."""


class UnknownClue(ClueError):
    """No such clue, recipient or case."""


class ClueState(WordedEnum):
    """How far a clue is."""

    DRAFT = "draft", "待复核"
    REVIEWED = "reviewed", "已复核"
    SENT = "sent", "已送达"
    ACKNOWLEDGED = "acknowledged", "已签收"
    CONFIRMED = "confirmed", "公安机关已确认"
    REFUTED = "refuted", "公安机关已排除"


class ClueEvent(WordedEnum):
    """What moves a clue."""

    REVIEW = "review", "复核"
    SEND = "send", "发送"
    ACKNOWLEDGE = "acknowledge", "签收"
    CONFIRM = "confirm", "确认涉案"
    REFUTE = "refute", "排除"


class Standing(WordedEnum):
    """What is known of a card of a clue. Only the police make it 涉案."""

    CONFIRMED = "confirmed", "涉案（公安机关已确认）", "confirmed by the police"
    SUSPECTED = "suspected", "高风险（嫌疑，未经确认）", "suspected"
    NAMED = "named", "案件所列（无规则命中）", "named in the case"


@dataclass(frozen=True)
class ClueTransition:
    """A row of the table: `event` leads from `before` to `after`."""

    before: ClueState
    event: ClueEvent
    after: ClueState


_ANSWERABLE = (ClueState.SENT, ClueState.ACKNOWLEDGED, ClueState.CONFIRMED, ClueState.REFUTED)

TRANSITIONS: tuple[ClueTransition, ...] = (
    ClueTransition(ClueState.DRAFT, ClueEvent.REVIEW, ClueState.REVIEWED),
    ClueTransition(ClueState.REVIEWED, ClueEvent.SEND, ClueState.SENT),
    ClueTransition(ClueState.SENT, ClueEvent.ACKNOWLEDGE, ClueState.ACKNOWLEDGED),
    # the police may answer before, or change, what they said
    *(ClueTransition(state, ClueEvent.CONFIRM, ClueState.CONFIRMED) for state in _ANSWERABLE),
    *(ClueTransition(state, ClueEvent.REFUTE, ClueState.REFUTED) for state in _ANSWERABLE),
)
MAY: Mapping[ClueEvent, Permission] = {
    ClueEvent.REVIEW: Permission.REVIEW_CLUE,
    ClueEvent.SEND: Permission.SEND_CLUE,
    ClueEvent.ACKNOWLEDGE: Permission.ACKNOWLEDGE_CLUE,
    ClueEvent.CONFIRM: Permission.ANSWER_CLUE,
    ClueEvent.REFUTE: Permission.ANSWER_CLUE,
}
_TABLE = {(row.before, row.event): row.after for row in TRANSITIONS}
_NEXT = {
    ClueState.DRAFT: "a second person reviews it first: `duanka clues review`",
    ClueState.REVIEWED: "it is sent first: `duanka clues send`",
}


def next_clue_state(before: ClueState, event: ClueEvent, clue: str) -> ClueState:
    """Return the state after `event`. NoSuchTransition."""
    after = _TABLE.get((before, event))
    if after is None:
        hint = _NEXT.get(before, "`duanka clues show` says what was done")
        raise NoSuchTransition(f"{clue} is {before} and cannot {event}; {hint}")
    return after


@dataclass(frozen=True)
class Clue:
    """A clue in its present state. `recipient`: id; `digest`: SHA-256 of the police's files before encryption.

    `has_full`: whether the police's encrypted file is still here.
    """

    id: str
    case_id: str
    title: str
    state: ClueState
    recipient: str
    built_by: str
    built_at: datetime
    updated_at: datetime
    cards: int
    confirmed: int
    digest: str
    has_full: bool
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None
    sent_by: str | None = None
    sent_at: datetime | None = None
    sent_to: str = ""
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    answered_by: str | None = None
    answered_at: datetime | None = None
    case_number: str = ""
