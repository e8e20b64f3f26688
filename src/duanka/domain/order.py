"""Orders: durable tasks that follow decisions, and their transition table.

There are four kinds of order: a verification (does the holder prove their identity), a restriction (how the network
treats the card), an objection, and a disavowal (the registrant says that the number is not theirs). A state changes
only by a row of TRANSITIONS. Times are UTC and aware.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from typing import Any

from duanka.domain.order_commands import only_the_police, typed
from duanka.domain.order_errors import AlreadyUsed as AlreadyUsed  # noqa: PLC0414  # re-exported for the users of orders
from duanka.domain.order_errors import GroundsMissing as GroundsMissing  # noqa: PLC0414
from duanka.domain.order_errors import NeedsSecondPerson as NeedsSecondPerson  # noqa: PLC0414
from duanka.domain.order_errors import NoLifeline as NoLifeline  # noqa: PLC0414
from duanka.domain.order_errors import NoSuchTransition as NoSuchTransition  # noqa: PLC0414
from duanka.domain.order_errors import OrderError as OrderError  # noqa: PLC0414
from duanka.domain.order_errors import PermissionDenied as PermissionDenied  # noqa: PLC0414
from duanka.domain.order_errors import ProtectedCard as ProtectedCard  # noqa: PLC0414
from duanka.domain.order_errors import TooManyHolders as TooManyHolders  # noqa: PLC0414
from duanka.domain.order_errors import TooManyTries as TooManyTries  # noqa: PLC0414
from duanka.domain.order_errors import UnknownOrder as UnknownOrder  # noqa: PLC0414
from duanka.domain.person import STAFF as STAFF  # noqa: PLC0414  # re-exported for the users of orders
from duanka.domain.person import SYSTEM as SYSTEM  # noqa: PLC0414
from duanka.domain.person import Person as Person  # noqa: PLC0414
from duanka.domain.person import Role as Role  # noqa: PLC0414
from duanka.domain.text import BilingualText, WordedEnum


class Kind(WordedEnum):
    """Kinds of order."""

    VERIFICATION = "verification", "实人核验"
    RESTRICTION = "restriction", "停机"
    OBJECTION = "objection", "异议"
    DISAVOWAL = "disavowal", "否认开户"


class State(WordedEnum):
    """States of all kinds; TRANSITIONS says which belong to which kind."""

    # verification
    OPENED = "opened", "已建单"
    NOTIFIED = "notified", "已通知"  # delivered: the deadline of the policy runs
    UNDELIVERABLE = "undeliverable", "通知未送达"  # no deadline runs; a person must act
    IN_PROGRESS = "in_progress", "核验中"
    UNDER_REVIEW = "under_review", "待复核"  # waits for staff: no deadline runs
    SENT_TO_COUNTER = "sent_to_counter", "转营业厅"
    SENT_TO_FRAUD_CENTRE = "sent_to_fraud_centre", "转反诈中心"
    PASSED = "passed", "核验通过"
    DISOWNED = "disowned", "本人否认开户"  # proved who they are, and that the number is not theirs
    FAILED = "failed", "核验未通过"
    EXPIRED = "expired", "逾期未核验"
    WITHDRAWN = "withdrawn", "已撤回"
    # restriction
    ACTIVE = "active", "正常"
    OUTGOING_BARRED = "outgoing_barred", "单停"
    LIFELINE = "lifeline", "保底服务"  # lines in both directions and listed senders, no data
    SUSPENDED = "suspended", "双停"
    FORCED_STOP = (
        "forced_stop",
        "公安停机",
        "stopped by police",
    )  # by police notice; lifted only with consent of the police
    PUNISHED = "punished", "惩戒停机"  # until a date; the holder keeps one number
    STOPPED_AT_REQUEST = "stopped_at_request", "本人申请停机"  # of a registrant who disowns the number
    RESTORED = "restored", "已复通"
    CANCELLED = "cancelled", "已销户"
    # objection
    FILED = "filed", "已提出"
    ACCEPTED = "accepted", "已受理"
    UPHELD = "upheld", "异议成立"
    REJECTED = "rejected", "异议不成立"
    LAPSED = "lapsed", "逾期未决"  # nobody decided it in its term, and the card was given back
    # disavowal
    CLAIMED = "claimed", "否认待确认"  # nothing is stopped: who says it is not established
    CONFIRMED = (
        "confirmed",
        "否认已确认",
    )  # by the registrant; cancelled when the days to take it back are over
    DISCARDED = "discarded", "否认未确认"


class Event(WordedEnum):
    """What changes a state."""

    OPEN = "open", "建单"
    DELIVERED = "delivered", "通知送达"
    NOT_DELIVERED = "not_delivered", "通知未送达"
    BEGIN = "begin", "开始核验"
    SUBMIT = "submit", "提交复核"
    PASS = "pass", "核验通过"  # result of a verification
    FAIL = "fail", "核验不通过"
    TO_COUNTER = "to_counter", "转营业厅"
    TO_FRAUD_CENTRE = "to_fraud_centre", "转反诈中心"
    EXTEND = "extend", "延期"  # hardship: roaming, hospital, disability
    EXPIRE = "expire", "逾期"
    WITHDRAW = "withdraw", "撤回"
    BAR_OUTGOING = "bar_outgoing", "单停"
    LIFELINE = "lifeline", "转保底服务"
    SUSPEND = "suspend", "双停"
    EASE = "ease", "改为单停"
    EASE_TO_LIFELINE = "ease_to_lifeline", "双停改保底服务"
    POLICE_STOP = "police_stop", "公安停机"
    POLICE_RELEASE = "police_release", "公安解除停机"
    PUNISH = "punish", "惩戒停机"
    RESTORE = "restore", "复通"
    CANCEL = "cancel", "销户"
    ACCEPT = "accept", "受理"
    UPHOLD = "uphold", "异议成立"
    REJECT = "reject", "异议不成立"
    LAPSE = "lapse", "逾期未决"
    DISOWN = "disown", "本人否认"  # result of a verification
    STOP_AT_REQUEST = "stop_at_request", "本人申请停机"
    CONFIRM = "confirm", "确认本人"
    DISCARD = "discard", "不予确认"


@dataclass(frozen=True)
class Transition:
    """A row of the table: `event` by one of `who` leads from `before` to `after`."""

    kind: Kind
    before: State
    event: Event
    after: State
    who: frozenset[Role]


@dataclass(frozen=True)
class DoneBefore:
    """Who had done already what is asked for again, and when."""

    by: str
    at: datetime


_SELF = frozenset({Role.SYSTEM})
_DESK = _SELF | STAFF
_HOLDER = _DESK | {Role.HOLDER}
_POLICE = frozenset({Role.SYSTEM, Role.POLICE})
_SENIOR = frozenset({Role.SYSTEM, Role.SUPERVISOR, Role.POLICE})


def _rows(
    kind: Kind, before: Iterable[State], event: Event, after: State, who: frozenset[Role]
) -> tuple[Transition, ...]:
    return tuple(Transition(kind, state, event, after, who) for state in before)


_V, _R, _O, _D = Kind.VERIFICATION, Kind.RESTRICTION, Kind.OBJECTION, Kind.DISAVOWAL
_WAITING = (State.OPENED, State.UNDELIVERABLE, State.NOTIFIED)
_LIVE = (*_WAITING, State.IN_PROGRESS, State.UNDER_REVIEW, State.SENT_TO_COUNTER, State.SENT_TO_FRAUD_CENTRE)
_LATE = (State.EXPIRED, State.FAILED)  # a late pass still lifts the restriction
_CLOCK = (State.NOTIFIED, State.IN_PROGRESS, State.SENT_TO_COUNTER)  # states in which a deadline runs
_ASKED_ALREADY = (State.NOTIFIED, State.IN_PROGRESS, State.UNDER_REVIEW, State.SENT_TO_COUNTER)
_LIFTABLE = (State.OUTGOING_BARRED, State.LIFELINE, State.SUSPENDED)
_OBJECTED = (State.FILED, State.ACCEPTED, State.SENT_TO_FRAUD_CENTRE)

TRANSITIONS: tuple[Transition, ...] = (
    *_rows(_V, (State.OPENED, State.UNDELIVERABLE), Event.DELIVERED, State.NOTIFIED, _SELF),
    # a resent notice, or the holder answered before the receipt came
    *(Transition(_V, state, Event.DELIVERED, state, _SELF) for state in _ASKED_ALREADY),
    *_rows(_V, (State.OPENED,), Event.NOT_DELIVERED, State.UNDELIVERABLE, _SELF),
    *_rows(_V, (*_WAITING, State.SENT_TO_COUNTER), Event.BEGIN, State.IN_PROGRESS, _HOLDER),
    *_rows(_V, (State.IN_PROGRESS,), Event.SUBMIT, State.UNDER_REVIEW, _HOLDER),
    *_rows(_V, _LATE, Event.SUBMIT, State.UNDER_REVIEW, _SELF),  # a late check with an unclear result
    *_rows(
        _V,
        (State.IN_PROGRESS, State.UNDER_REVIEW, State.SENT_TO_COUNTER, *_LATE),
        Event.PASS,
        State.PASSED,
        _DESK,
    ),
    *_rows(_V, (State.SENT_TO_FRAUD_CENTRE,), Event.PASS, State.PASSED, _POLICE),
    *_rows(
        _V, (State.IN_PROGRESS, State.UNDER_REVIEW, State.SENT_TO_COUNTER), Event.FAIL, State.FAILED, _DESK
    ),
    *_rows(
        _V, (*_WAITING, State.IN_PROGRESS, State.UNDER_REVIEW), Event.TO_COUNTER, State.SENT_TO_COUNTER, _DESK
    ),
    *_rows(_V, (*_LIVE[:-1], *_LATE), Event.TO_FRAUD_CENTRE, State.SENT_TO_FRAUD_CENTRE, _SENIOR),
    *(Transition(_V, state, Event.EXTEND, state, _DESK) for state in _CLOCK),
    # a failure on one person's word alone does not stop the deadline, so it can still expire
    *_rows(_V, (*_CLOCK, State.FAILED), Event.EXPIRE, State.EXPIRED, _SELF),
    *_rows(_V, (*_LIVE, *_LATE), Event.WITHDRAW, State.WITHDRAWN, _DESK),
    # follows from a confirmed disavowal; what the police look at stays with them
    *_rows(_V, (*_LIVE[:-1], *_LATE), Event.DISOWN, State.DISOWNED, _SELF),
    *_rows(_R, (State.ACTIVE,), Event.BAR_OUTGOING, State.OUTGOING_BARRED, _DESK),
    # a card that `lifeline.why_never` names is kept out of the lifeline where the restriction is stored
    *_rows(_R, (State.ACTIVE, State.OUTGOING_BARRED), Event.LIFELINE, State.LIFELINE, _DESK),
    *_rows(_R, (State.ACTIVE, *_LIFTABLE[:-1]), Event.SUSPEND, State.SUSPENDED, _DESK),
    *_rows(_R, (State.LIFELINE, State.SUSPENDED), Event.EASE, State.OUTGOING_BARRED, _DESK),
    *_rows(_R, (State.SUSPENDED,), Event.EASE_TO_LIFELINE, State.LIFELINE, _DESK),
    *_rows(
        _R,
        (State.ACTIVE, *_LIFTABLE, State.PUNISHED, State.STOPPED_AT_REQUEST),
        Event.POLICE_STOP,
        State.FORCED_STOP,
        _POLICE,
    ),
    *_rows(_R, (State.FORCED_STOP,), Event.POLICE_RELEASE, State.RESTORED, frozenset({Role.POLICE})),
    *_rows(_R, (State.ACTIVE, *_LIFTABLE), Event.PUNISH, State.PUNISHED, _DESK),
    *_rows(_R, (*_LIFTABLE, State.PUNISHED), Event.RESTORE, State.RESTORED, _DESK),
    *_rows(_R, (*_LIFTABLE, State.PUNISHED, State.FORCED_STOP), Event.CANCEL, State.CANCELLED, _DESK),
    # at the registrant's request, and back: each follows from the disavowal alone
    *_rows(_R, (State.ACTIVE, *_LIFTABLE), Event.STOP_AT_REQUEST, State.STOPPED_AT_REQUEST, _SELF),
    *_rows(_R, (State.STOPPED_AT_REQUEST,), Event.RESTORE, State.RESTORED, _SELF),
    *_rows(_R, (State.STOPPED_AT_REQUEST,), Event.CANCEL, State.CANCELLED, _SELF),
    *_rows(_O, (State.FILED,), Event.ACCEPT, State.ACCEPTED, _DESK),
    # an objection to a stop by the police: they decide, and the operator answers the holder
    *_rows(_O, (State.FILED, State.ACCEPTED), Event.TO_FRAUD_CENTRE, State.SENT_TO_FRAUD_CENTRE, _DESK),
    *_rows(_O, _OBJECTED, Event.UPHOLD, State.UPHELD, _DESK),
    *_rows(_O, _OBJECTED[1:], Event.REJECT, State.REJECTED, _DESK),
    *_rows(_O, _OBJECTED, Event.WITHDRAW, State.WITHDRAWN, _HOLDER),
    *_rows(_O, _OBJECTED[:2], Event.LAPSE, State.LAPSED, _SELF),  # the term is over: orders/objections
    *_rows(_D, (State.CLAIMED,), Event.CONFIRM, State.CONFIRMED, _DESK),
    *_rows(_D, (State.CLAIMED,), Event.DISCARD, State.DISCARDED, _DESK),
    *_rows(_D, (State.CLAIMED,), Event.WITHDRAW, State.WITHDRAWN, _HOLDER),
    *_rows(_D, (State.CONFIRMED,), Event.WITHDRAW, State.WITHDRAWN, _DESK),
    *_rows(_D, (State.CONFIRMED,), Event.CANCEL, State.CANCELLED, _SELF),
)
_TABLE = {(row.kind, row.before, row.event): row for row in TRANSITIONS}

FIRST = {_V: State.OPENED, _R: State.ACTIVE, _O: State.FILED, _D: State.CLAIMED}
# An order in one of these states is closed. An expired or failed verification stays open while the card is restricted
# for it, because a late pass still lifts the restriction.
CLOSED = frozenset(
    {
        *(State.PASSED, State.DISOWNED, State.WITHDRAWN, State.RESTORED, State.CANCELLED),
        *(State.UPHELD, State.REJECTED, State.LAPSED, State.DISCARDED),
    }
)
STOP_EVENTS = frozenset(
    {Event.BAR_OUTGOING, Event.LIFELINE, Event.SUSPEND, Event.PUNISH, Event.CANCEL}
)  # a person may cause these only with a second person, unless the policy allows one


def states_before(kind: Kind, event: Event) -> frozenset[State]:
    """Return the states of `kind` that `event` leads out of, for any role."""
    return frozenset(row.before for row in TRANSITIONS if (row.kind, row.event) == (kind, event))


def events_of(kind: Kind, before: State, role: Role) -> frozenset[Event]:
    """Return what a person of this role may do with an order of `kind` in this state."""
    return frozenset(
        row.event for row in TRANSITIONS if (row.kind, row.before) == (kind, before) and role in row.who
    )


def next_state(kind: Kind, before: State, event: Event, role: Role, order_id: str = "ID") -> State:
    """Return the state after `event`. NoSuchTransition: it suggests commands for `order_id`. PermissionDenied."""
    row = _TABLE.get((kind, before, event))
    if row is None:
        hint = _instead(kind, before, event, role, order_id)
        raise NoSuchTransition(f"a {kind} that is {before} cannot {event}; {hint}")
    if role not in row.who:
        raise PermissionDenied(
            f"{role} may not {event} a {kind}; it takes {', '.join(sorted(row.who - {Role.SYSTEM}))}"
        )
    return row.after


def _instead(kind: Kind, before: State, event: Event, role: Role, order_id: str) -> str:
    """Name commands that `role` can use in this state, none stronger than asked."""
    if before is State.FORCED_STOP:
        return only_the_police(order_id)
    rows = (row for row in TRANSITIONS if (row.kind, row.before) == (kind, before) and role in row.who)
    possible = sorted(row.event for row in rows if event in STOP_EVENTS or row.event not in STOP_EVENTS)
    if not possible:
        return "it is closed" if before in CLOSED else "nothing else is possible for your role"
    return f"possible: {', '.join(typed(kind, one, order_id) for one in possible)}"


@dataclass(frozen=True)
class Grounds:
    """What a holder must be told about a restriction (law, art. 32)."""

    reason: BilingualText
    redress: BilingualText
    papers: BilingualText

    def complete(self) -> Grounds:
        """Return self; GroundsMissing if a text is empty in a language."""
        for name, words in (("reason", self.reason), ("redress", self.redress), ("papers", self.papers)):
            if not (words.zh.strip() and words.en.strip()):
                raise GroundsMissing(
                    f"a restriction needs its {name} in Chinese and English; nothing is stored"
                )
        return self


@dataclass(frozen=True)
class Order:
    """One order in its present state. `step` counts its changes.

    `carried_by`: the legal basis of a restriction.

    `due_at`: next deadline; None while none runs. `parent`: the verification that a restriction follows from, the
    restriction that an objection is about, or the disavowal of a stop at request. `operator`, `city`: of the card; ""
    if unknown. `hit_summaries`: what the rules saw and when; encoded, as few readers need it (`decoded_summaries`).
    `channel`: how an objection was filed (`domain.objection.Channel`).

    Facts from which the evidence for a stop is derived (domain/evidence.py): `opened_by`; `helped_by`: names of staff
    who made a link or acted for the holder; `decision`: the sealed decision that opened it; `receipt_at`: delivery
    time of the notice by the SMSC's receipt. `evidence`: what these facts prove, set when the verification ends without
    a pass.
    """

    id: str
    kind: Kind
    card: str
    state: State
    step: int
    grounds: Grounds
    opened_at: datetime
    updated_at: datetime
    tier: str = ""
    asked: str = ""
    rules: tuple[str, ...] = ()
    carried_by: str = ""
    parent: str | None = None
    delivered_at: datetime | None = None
    due_at: datetime | None = None
    until: datetime | None = None
    closed_at: datetime | None = None
    hits: int = 1
    extended: str = ""
    operator: str = ""
    city: str = ""
    opened_by: str = ""
    helped_by: tuple[str, ...] = ()
    decision: str = ""
    receipt_at: datetime | None = None
    evidence: str = ""
    hit_summaries: str = ""
    channel: str = ""

    @classmethod
    def of(cls, **facts: Any) -> Order:
        """Return an order with these fields; three times as fast as the constructor."""
        order = object.__new__(cls)
        order.__dict__.update(_DEFAULTS)
        order.__dict__.update(facts)
        if order.__dict__.keys() != cls.__dataclass_fields__.keys():
            raise TypeError(f"these are not the fields of an order: {', '.join(sorted(facts))}")
        return order

    def changed(self, **facts: Any) -> Order:
        """Return a changed copy, five times as fast as `replace`, for many deadlines at once."""
        after = object.__new__(Order)
        after.__dict__.update(self.__dict__)
        after.__dict__.update(facts)
        if len(after.__dict__) != len(self.__dict__):
            unknown = facts.keys() - self.__dict__.keys()
            raise TypeError(f"an order has no {', '.join(sorted(unknown))}")
        return after


_DEFAULTS = {field.name: field.default for field in fields(Order) if field.default is not MISSING}
