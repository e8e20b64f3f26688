"""How the network treats a card whose restriction is in a state."""

from __future__ import annotations

from duanka.domain.network import NetworkState
from duanka.domain.order import State

_IN_THE_NETWORK = {
    State.ACTIVE: NetworkState.ACTIVE,
    State.RESTORED: NetworkState.ACTIVE,
    State.OUTGOING_BARRED: NetworkState.OUTGOING_BARRED,
    State.LIFELINE: NetworkState.LIFELINE,
    State.SUSPENDED: NetworkState.SUSPENDED,
    State.FORCED_STOP: NetworkState.SUSPENDED,
    State.PUNISHED: NetworkState.SUSPENDED,
    State.STOPPED_AT_REQUEST: NetworkState.SUSPENDED,
    State.CANCELLED: NetworkState.SUSPENDED,
}


def in_the_network(state: State) -> NetworkState:
    """Return how the network must treat a card whose restriction is in `state`."""
    return _IN_THE_NETWORK[state]
