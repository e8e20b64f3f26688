"""Validation of a card number before it is put into a command to an element."""

from __future__ import annotations

import re

from duanka.domain.network import UnknownCard
from duanka.domain.phone_masking import masked_text

CARD = re.compile(r"[0-9]{1,15}")  # E.164 without +, as cards are named


def checked(card: str) -> str:
    """Return `card` if it is 1 to 15 digits; raise UnknownCard otherwise."""
    if not CARD.fullmatch(card):
        raise UnknownCard(f"{masked_text(card)!r} is no card number")
    return card
