"""Evidence for a stop: set when a verification ends, checked before the stop.

Nobody stops a card alone. A stop rests on a police notice, on two people, or on a verification whose result no single
person could have produced. Any other end of a verification leads to a proposal, which a second person decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from duanka.domain.order import Event, Kind, Order, Role, State
from duanka.domain.person import same_person
from duanka.domain.text import WordedEnum


class Evidence(WordedEnum):
    """What a stop may rest on; the part of `carried_by` before the colon."""

    POLICE_NOTICE = "police_notice", "公安通报"
    EXPIRED_VERIFICATION = (
        "expired_verification",
        "逾期未核验",
    )  # sealed decision, receipt of the notice, deadline
    FAILED_CHECK = "failed_check", "核验未通过"  # failed machine check, confirmed by a reviewer
    TWO_PEOPLE = "two_people", "双人复核"
    ONE_PERSON = "one_person", "单人决定"  # only if the policy allows one person
    OWN_REQUEST = "own_request", "本人申请"  # of the registrant, whose identity was checked

    def of(self, reference: str) -> str:
        """Return `carried_by` for the notice, order or bulk action `reference`."""
        return f"{self}:{reference}"


@dataclass(frozen=True)
class Witnesses:
    """Who established that a verification failed: `staff` (id of a reviewer), `machine` check."""

    staff: str = ""
    machine: bool = False


NOBODY = Witnesses()
_OF_VERIFICATION = (Evidence.EXPIRED_VERIFICATION, Evidence.FAILED_CHECK)
_STAGES = (Event.BAR_OUTGOING, Event.LIFELINE, Event.SUSPEND)  # automatic stages of a policy
# What the request of a registrant carries, and the state of the disavowal then.
_AT_REQUEST = {Event.STOP_AT_REQUEST: State.CONFIRMED, Event.CANCEL: State.CANCELLED}


def evidence_of(verification: Order, event: Event, witnesses: Witnesses = NOBODY) -> Evidence | None:
    """Return the evidence for a stop after `event` (EXPIRE or FAIL); None: none.

    Without evidence a stop needs a second person. `verification`: the order before the event. Staff who
    opened it, made a link for it or acted for the holder could have caused the failure themselves, so they do
    not count as reviewers of the check.
    """
    if event is Event.EXPIRE:
        whole = verification.decision and verification.receipt_at and verification.delivered_at
        return Evidence.EXPIRED_VERIFICATION if whole else None
    reviewed = event is Event.FAIL and witnesses.machine and bool(witnesses.staff)
    if reviewed and not had_a_hand_in(verification, witnesses.staff):
        return Evidence.FAILED_CHECK
    return None


def may_stop(before: Order, after: Order, event: Event, role: Role, named: Order | None) -> bool:
    """Whether evidence allows the restriction `after`; `named`: the order that it rests on, if any."""
    evidence, _, reference = after.carried_by.partition(":")
    if not reference:
        return False
    if evidence == Evidence.POLICE_NOTICE:
        return event is Event.POLICE_STOP  # but not for a cancellation, which takes two people
    if evidence == Evidence.TWO_PEOPLE:
        # two people approved one stop, not every heavier one that might follow it; but a card that must not be in
        # lifeline any more (`why_never`) is not kept reachable until two people meet again
        out_of_lifeline = before.state is State.LIFELINE and event is Event.SUSPEND and role is Role.SYSTEM
        return after.carried_by != before.carried_by or out_of_lifeline
    if named is None or named.id != reference or named.card != after.card or role is not Role.SYSTEM:
        return False
    if evidence == Evidence.OWN_REQUEST:
        return named.kind is Kind.DISAVOWAL and _AT_REQUEST.get(event) is named.state
    ours = named.kind is Kind.VERIFICATION and named.evidence == evidence
    return ours and evidence in _OF_VERIFICATION and event in _STAGES  # later stages run by the clock only


def named_verification(restriction: Order) -> str | None:
    """Return the id of the verification that `restriction` rests on, if any."""
    evidence, _, reference = restriction.carried_by.partition(":")
    return reference if evidence in _OF_VERIFICATION else None


def lifted_by_passing(restriction: Order) -> bool:
    """Whether a verification is behind the restriction: whoever passes it is given the card back.

    Where staff decided without one, nobody asked the holder who they are, and proving it lifts nothing.
    """
    if named_verification(restriction):
        return True
    others = (Evidence.POLICE_NOTICE, Evidence.OWN_REQUEST)
    return bool(restriction.parent) and restriction.carried_by.partition(":")[0] not in others


def named_order(restriction: Order) -> str | None:
    """Return the id of the verification or disavowal that `restriction` rests on, if any."""
    evidence, _, reference = restriction.carried_by.partition(":")
    return reference if evidence in (*_OF_VERIFICATION, Evidence.OWN_REQUEST) else None


def had_a_hand_in(order: Order, name: str, *also: str) -> bool:
    """Whether `name` opened the order, made a link for it, acted for the holder, or is one of `also`."""
    return any(same_person(name, other) for other in (order.opened_by, *order.helped_by, *also) if other)


def ran_out(order: Order) -> bool:
    """Whether the verification ended without a pass but can still be passed."""
    return order.closed_at is None and order.state in (State.EXPIRED, State.FAILED)
