"""What a stop may rest on: decided once, when a verification ends, and asked before a stop is stored.

Nobody stops a card alone. A stop rests on a police notice, on two people, or on a verification that one person could
not have made by themselves. What else ends a verification leads to a proposal, which a second person decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from duanka.domain.order import Event, Kind, Order, Role, State
from duanka.domain.person import same_person
from duanka.domain.text import WordedEnum


class Evidence(WordedEnum):
    """What entitles a stop; the part of `carried_by` before the colon."""

    POLICE_NOTICE = "police_notice", "公安通报"
    EXPIRED_VERIFICATION = (
        "expired_verification",
        "逾期未核验",
    )  # sealed decision, receipt of the notice, and the clock
    FAILED_CHECK = "failed_check", "核验未通过"  # a machine check that was not passed, and a reviewer
    TWO_PEOPLE = "two_people", "双人复核"
    ONE_PERSON = "one_person", "单人决定"  # only under a policy that says that one suffices

    def of(self, reference: str) -> str:
        """`carried_by` of a restriction that rests on the notice, order or act `reference`."""
        return f"{self}:{reference}"


@dataclass(frozen=True)
class Witnesses:
    """Who says that a verification was not passed: one of the `staff` by id, and whether a check by `machine` does."""

    staff: str = ""
    machine: bool = False


NOBODY = Witnesses()
_OF_VERIFICATION = (Evidence.EXPIRED_VERIFICATION, Evidence.FAILED_CHECK)
_STAGES = (Event.BAR_OUTGOING, Event.SUSPEND)  # what the timetable of a policy does


def evidence_of(verification: Order, event: Event, witnesses: Witnesses = NOBODY) -> Evidence | None:
    """What a stop may rest on after `event` (EXPIRE or FAIL) of `verification`; None: on a second person alone.

    `verification`: as it stands before the event. Opener, and whoever made a link or began in the holder's place, could
    have made the failed check themselves: they are no reviewers of it.
    """
    if event is Event.EXPIRE:
        whole = verification.decision and verification.receipt_at and verification.delivered_at
        return Evidence.EXPIRED_VERIFICATION if whole else None
    reviewed = event is Event.FAIL and witnesses.machine and bool(witnesses.staff)
    if reviewed and not had_a_hand_in(verification, witnesses.staff):
        return Evidence.FAILED_CHECK
    return None


def may_stop(before: Order, after: Order, event: Event, role: Role, verification: Order | None) -> bool:
    """Whether the restriction `after` (before the event: `before`) may be stored on what its `carried_by` names.

    `verification`: the one that `carried_by` names, if it names one; `role`: whose hand the event is.
    """
    evidence, _, reference = after.carried_by.partition(":")
    if not reference:
        return False
    if evidence == Evidence.POLICE_NOTICE:
        return event is Event.POLICE_STOP  # and not to cancel the card, which takes two
    if evidence == Evidence.TWO_PEOPLE:
        # two people agreed on one stop, and not on every heavier one that might follow it
        return after.carried_by != before.carried_by
    if evidence not in _OF_VERIFICATION or verification is None:
        return False
    named = verification.id == reference and verification.kind is Kind.VERIFICATION
    ours = named and verification.card == after.card and verification.evidence == evidence
    return ours and event in _STAGES and role is Role.SYSTEM  # the timetable goes on by the clock alone


def named_verification(restriction: Order) -> str | None:
    """The id of the verification that `restriction` rests on; None: on none."""
    evidence, _, reference = restriction.carried_by.partition(":")
    return reference if evidence in _OF_VERIFICATION else None


def had_a_hand_in(order: Order, name: str, *also: str) -> bool:
    """Whether this person opened the order, made a link for it, acted in the holder's place, or is one of `also`."""
    return any(same_person(name, other) for other in (order.opened_by, *order.helped_by, *also) if other)


def ran_out(order: Order) -> bool:
    """Whether this verification ended without a pass, and what became of it can still be mended by one."""
    return order.closed_at is None and order.state in (State.EXPIRED, State.FAILED)
