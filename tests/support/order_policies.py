"""Order policies for tests of several rooms."""

from __future__ import annotations

from duanka.domain.network import NetworkState
from duanka.domain.order_policy import DeadlineStage, OrderPolicy

# One stage, as under the Hebei notice: most tests are about how a card is stopped and given back, not in which steps.
AT_ONCE = OrderPolicy(stages=(DeadlineStage(24, NetworkState.SUSPENDED),))
