"""What a test's element of the network says of losses."""

from __future__ import annotations

from collections.abc import Sequence

from duanka.domain.network import Carried, Loss


class LosesNothing:
    """The part of a `RefusalSource` about losses: there are none."""

    carried = Carried.CALL

    def losses(self) -> Sequence[Loss]:
        return ()

    def forget_losses(self, keys: Sequence[str]) -> None:
        """It has nothing to forget."""
