"""Numbers: as a signalling message writes them -> E.164 without +, and whether they can be a card at all."""

from __future__ import annotations

from duanka.domain.network import UnknownCard
from duanka.domain.numbers import CARD, MOBILE

_MARKS = str.maketrans("", "", "+-. ()")


def number_of(written: str) -> str:
    """`+86 138…`, `0086138…`, `138…` -> `86138…`; short codes and what is no number as they stand."""
    plain = written.translate(_MARKS)
    plain = plain.removeprefix("00")
    return f"86{plain}" if MOBILE.fullmatch(plain) else plain


def checked(card: str) -> str:
    """The card as it may stand in a command, digits and nothing else; UnknownCard for what is none."""
    if not CARD.fullmatch(card):
        raise UnknownCard(f"{card!r} is no card number")
    return card
