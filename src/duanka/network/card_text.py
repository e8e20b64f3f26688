"""Whether a text can be a card at all, for whoever puts it into a command."""

from __future__ import annotations

import re

from duanka.domain.network import UnknownCard
from duanka.domain.phone_masking import masked_text

CARD = re.compile(r"[0-9]{1,15}")  # E.164 without +, as cards are named


def checked(card: str) -> str:
    """The card as it may stand in a command, digits and nothing else; UnknownCard for what is none."""
    if not CARD.fullmatch(card):
        raise UnknownCard(f"{masked_text(card)!r} is no card number")
    return card
