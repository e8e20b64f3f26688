"""Numbers as short messages carry them, made E.164 without +, and those that nothing may hold up."""

from __future__ import annotations

from duanka.domain.phone_number import PROTECTED_LINES
from duanka.network.numbers import number_of
from duanka.network.smpp import Address

_LETTERS = 5  # type of number: a name
_POLICE_BY_MESSAGE = "12110"  # with up to four digits of the area behind it


def e164(address: Address) -> str:
    """Digits with country code; short codes and names of senders as they stand.

    Eleven digits that look like a mobile number of China are one, also where they claim to be international: many
    clients claim that of every number, and a blocked card must not slip through by it.
    """
    number = address.number
    if (len(number) == 13 and number.startswith("86")) or address.ton == _LETTERS:  # nearly all are the first
        return number
    trunk = len(number) == 12 and number.startswith("01")
    return number_of(number[1:] if trunk else number)


def is_service(number: str) -> bool:
    """Whether a sender is a short code or a name, whose rate its contract sets: 10086, 95588, 1069..."""
    return len(number) <= 8 or number.startswith("10") or not number.isdigit()


class EmergencyNumbers:
    """Those that are always protected, and `more`."""

    def __init__(self, more: tuple[str, ...] = ()) -> None:
        self._numbers = frozenset(
            form for one in (*PROTECTED_LINES, *more) for form in (one, "86" + one.removeprefix("86"))
        )

    def __contains__(self, number: str) -> bool:
        if len(number) > 11:  # a card: nearly all are
            return number in self._numbers
        if number in self._numbers:
            return True
        code = number.removeprefix("86")
        return code.startswith(_POLICE_BY_MESSAGE) and len(code) <= 9 and code.isdigit()
