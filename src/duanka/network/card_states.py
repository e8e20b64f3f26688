"""Base classes of elements: changes of single cards, and refusals of the proxies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from duanka.domain.network import Carried, Loss, NetworkState, Refusal, UnknownCard
from duanka.domain.phone_masking import masked_text
from duanka.network.refusal_store import RefusedFile

CARD = re.compile(r"[0-9]{1,15}")  # E.164 without +, as cards are named


def checked(card: str) -> str:
    """Return `card` if it is 1 to 15 digits; raise UnknownCard otherwise."""
    if not CARD.fullmatch(card):
        raise UnknownCard(f"{masked_text(card)!r} is no card number")
    return card


class CardStates:
    """Element whose changes of one card go through `put`."""

    def put(self, cards: Mapping[str, NetworkState]) -> None:
        """Put each card into its state."""
        raise NotImplementedError

    def bar_outgoing(self, card: str) -> None:
        """Bar outgoing calls and messages but to lines, as far as this element carries them."""
        self.put({card: NetworkState.OUTGOING_BARRED})

    def keep_lifeline(self, card: str) -> None:
        """Leave the card its lines and listed senders, as far as this element carries them."""
        self.put({card: NetworkState.LIFELINE})

    def suspend(self, card: str) -> None:
        """Refuse the card in both directions."""
        self.put({card: NetworkState.SUSPENDED})

    def restore(self, card: str) -> None:
        """Give back what the card could do before."""
        self.put({card: NetworkState.ACTIVE})


class ProxyElement(CardStates):
    """Element that supports every state, and records what it refuses."""

    refused: RefusedFile

    def shows(self, state: NetworkState) -> NetworkState:
        """Return `state` itself: the proxy supports every state."""
        return state

    def refusals(self, after: int, limit: int) -> tuple[Sequence[Refusal], int]:
        """Return up to `limit` refusals after position `after`, and the next position."""
        return self.refused.read(after, limit)

    def forget(self, before: int) -> None:
        """Delete refusals up to position `before`: they are recorded elsewhere."""
        self.refused.forget(before)

    @property
    def carried(self) -> Carried:
        """What it carries."""
        return self.refused.carried

    def losses(self) -> Sequence[Loss]:
        """Return the losses that the proxy knows of."""
        return self.refused.losses()

    def forget_losses(self, keys: Sequence[str]) -> None:
        """Delete these losses: they are recorded elsewhere."""
        self.refused.forget_losses(keys)
