"""Listing for rectification (挂牌整治): states of a listed unit, and the one table of how they change.

Nobody is listed by a rank: a unit is proposed because it meets the criterion of a stored run, another person approves,
and the notice says reason, figures and term. Whoever acted for the unit neither checks nor takes it off the list.
"""

from __future__ import annotations

from dataclasses import dataclass

from duanka.domain.assessment import AssessmentError
from duanka.domain.authority import Permission
from duanka.domain.text import WordedEnum


class UnknownRun(AssessmentError):
    """There is no such run of the assessment, or none of that period."""


class ListingError(AssessmentError):
    """What was asked of a listing cannot be done; the text says what can."""


class UnknownListing(ListingError):
    """There is no such listing, or not for who asks."""


class ListingNeedsAnother(ListingError):
    """The person had a hand in this listing, so somebody else has to do it."""


class ListingState(WordedEnum):
    """States of a listing."""

    PROPOSED = "proposed", "待复核"
    LISTED = "listed", "已挂牌"
    EVIDENCE_FILED = "evidence_filed", "整改材料已报"
    OBJECTED = "objected", "已提出申诉"
    MENDED = "mended", "已整改，待摘牌"
    DELISTED = "delisted", "已摘牌"
    REJECTED = "rejected", "不予挂牌"


class ListingEvent(WordedEnum):
    """What changes a listing."""

    PROPOSE = "propose", "提出挂牌"
    APPROVE = "approve", "批准挂牌"
    REJECT = "reject", "否决挂牌"
    FILE_EVIDENCE = "file_evidence", "报送整改材料"
    OBJECT = "object", "提出申诉"
    UPHOLD = "uphold", "申诉成立"
    DISMISS = "dismiss", "申诉不成立"
    FIND_MENDED = "find_mended", "检查：已整改", "check: mended"
    FIND_NOT_MENDED = "find_not_mended", "检查：未整改", "check: not mended"
    DELIST = "delist", "摘牌"


OVER = frozenset({ListingState.DELISTED, ListingState.REJECTED})


@dataclass(frozen=True)
class ListingTransition:
    """A row: `event` leads from `before` to `after`, for who has `permission`.

    `apart_from`: who did one of these for this listing may not do this, since each checks the other.
    """

    before: ListingState
    event: ListingEvent
    after: ListingState
    permission: Permission
    apart_from: frozenset[ListingEvent] = frozenset()


_S, _E = ListingState, ListingEvent
_UNIT = frozenset({_E.FILE_EVIDENCE, _E.OBJECT})  # what is done for the unit
_ANSWER, _CHECK = Permission.ANSWER_LISTING, Permission.CHECK_LISTING
_CHECKED = frozenset({_E.FIND_MENDED})
_PROPOSED = frozenset({_E.PROPOSE})

LISTING_TRANSITIONS: tuple[ListingTransition, ...] = (
    ListingTransition(_S.PROPOSED, _E.APPROVE, _S.LISTED, Permission.APPROVE_LISTING, _PROPOSED),
    # who proposed it may take it back
    ListingTransition(_S.PROPOSED, _E.REJECT, _S.REJECTED, Permission.APPROVE_LISTING),
    *(
        ListingTransition(state, _E.FILE_EVIDENCE, _S.EVIDENCE_FILED, _ANSWER)
        for state in (_S.LISTED, _S.EVIDENCE_FILED)
    ),
    *(ListingTransition(state, _E.OBJECT, _S.OBJECTED, _ANSWER) for state in (_S.LISTED, _S.EVIDENCE_FILED)),
    ListingTransition(_S.OBJECTED, _E.UPHOLD, _S.DELISTED, _CHECK, _UNIT | _PROPOSED),
    ListingTransition(_S.OBJECTED, _E.DISMISS, _S.LISTED, _CHECK, _UNIT | _PROPOSED),
    ListingTransition(_S.EVIDENCE_FILED, _E.FIND_MENDED, _S.MENDED, _CHECK, _UNIT),
    ListingTransition(_S.EVIDENCE_FILED, _E.FIND_NOT_MENDED, _S.LISTED, _CHECK, _UNIT),
    # the second person may come to another result
    ListingTransition(_S.MENDED, _E.FIND_NOT_MENDED, _S.LISTED, _CHECK, _UNIT | _CHECKED),
    ListingTransition(_S.MENDED, _E.DELIST, _S.DELISTED, _CHECK, _UNIT | _CHECKED),
)
_TYPED = {
    _E.APPROVE: "approve {}",
    _E.REJECT: "reject {}",
    _E.FILE_EVIDENCE: "evidence {}",
    _E.OBJECT: "object {}",
    _E.UPHOLD: "decide {} --uphold",
    _E.DISMISS: "decide {} --dismiss",
    _E.FIND_MENDED: "check {} --mended",
    _E.FIND_NOT_MENDED: "check {} --not-mended",
    _E.DELIST: "delist {}",
}
_TABLE = {(row.before, row.event): row for row in LISTING_TRANSITIONS}


def listing_transition(before: ListingState, event: ListingEvent, number: str) -> ListingTransition:
    """The row of the table. ListingError: there is none; it says what is possible."""
    row = _TABLE.get((before, event))
    if row is None:
        possible = [_TYPED[one.event] for one in LISTING_TRANSITIONS if one.before is before]
        commands = ", ".join(f"`duanka assess {one.format(number)}`" for one in possible)
        what = f"possible: {commands}" if possible else "it is over"
        raise ListingError(f"{number} is {before.words.en}: no {event.words.en} from there; {what}")
    return row


@dataclass(frozen=True)
class ListingFacts:
    """What the criterion found of a unit over the last periods together; written into notice and run.

    `events` of `exposure`; `expected` of the unit by its own past and the others; `ratio` of both, with its 95%
    interval; `beyond`: the count that chance alone does not pass. `worse`: probability of being worse than the rest,
    in each period. `chance`: of so many events. `runs`: that were compared, the oldest first. `by_number`: expected by
    the rate of the others over all cards; `by_age`: by their rates for cards of each age. None: of another measure, or
    of runs that did not count it.
    """

    periods: tuple[str, ...]
    events: int
    exposure: int
    expected: float
    ratio: float
    lower: float
    upper: float
    beyond: float
    worse: tuple[float, ...]
    chance: float
    false_discovery: float
    runs: tuple[str, ...]
    by_number: float | None = None
    by_age: float | None = None
