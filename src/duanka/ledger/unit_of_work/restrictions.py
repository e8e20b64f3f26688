"""What a restriction needs before it is stored: no protected card, a reason, two people or their evidence."""

from __future__ import annotations

from collections.abc import Callable

from duanka.domain.evidence import Evidence, may_stop, named_order
from duanka.domain.network import NetworkState
from duanka.domain.order import (
    STOP_EVENTS,
    Event,
    NeedsSecondPerson,
    Order,
    Person,
    ProtectedCard,
)
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.restriction_states import in_the_network

POLICE_NOTICE, TWO_PEOPLE = Evidence.POLICE_NOTICE.of(""), Evidence.TWO_PEOPLE.of("")
ONE_PERSON = Evidence.ONE_PERSON.of("")  # if the policy says that one suffices


def checked(
    policy: OrderPolicy,
    before: Order,
    after: Order,
    event: Event,
    by: Person,
    order_of: Callable[[str], Order],
) -> Order:
    """Check a restriction before storing it; set `carried_by` if one person suffices.

    `order_of`: returns the order with an id. ProtectedCard, NeedsSecondPerson, GroundsMissing.
    """
    if in_the_network(after.state) is NetworkState.ACTIVE:
        return after
    if policy.protects(after.card):
        raise ProtectedCard(
            f"{after.card} is on the protected list (emergency, hotlines, police): it is never stopped"
        )
    after.grounds.complete()
    named = named_order(after)
    rests_on = order_of(named) if named else None
    stops = (*STOP_EVENTS, Event.POLICE_STOP, Event.STOP_AT_REQUEST)
    if event not in stops or may_stop(before, after, event, by.role, rests_on):
        return after
    if event is Event.STOP_AT_REQUEST:
        raise NeedsSecondPerson(
            f"no registrant asked for {after.card} to be stopped; record what they say at a counter:"
            " `duanka counter not-mine`"
        )
    if policy.two_people:
        raise NeedsSecondPerson(
            f"{by.id} alone cannot {event} {after.card}: neither a police notice nor a verification that one"
            " person could not have made carries it; propose it, and let a second person approve"
        )
    alone = after.carried_by if after.carried_by != before.carried_by else ONE_PERSON + by.id
    return after.changed(carried_by=alone)
