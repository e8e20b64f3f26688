"""What a restriction means for billing: a card that is stopped is not charged."""

from __future__ import annotations

from functools import lru_cache

from duanka.domain.network import NetworkState
from duanka.domain.order import State
from duanka.domain.restriction_states import in_the_network
from duanka.domain.text import WordedEnum


class BillingEvent(WordedEnum):
    """A change of whether a card is charged; stored values."""

    PAUSED = "paused", "停止计费"  # restricted in any way: no fee meanwhile
    RESUMED = "resumed", "恢复计费"
    ENDED = "ended", "终止计费"  # cancelled for good: nothing resumes


@lru_cache  # a sweep asks for thousands of cards
def billing_event(before: State, after: State) -> BillingEvent | None:
    """Return the event between two states of a card; None: it is charged as before."""
    if after is State.CANCELLED:
        return None if before is State.CANCELLED else BillingEvent.ENDED
    was, now = (in_the_network(state) is NetworkState.ACTIVE for state in (before, after))
    if was is now:
        return None
    return BillingEvent.RESUMED if now else BillingEvent.PAUSED
