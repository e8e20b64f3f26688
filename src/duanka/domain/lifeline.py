"""Lifeline (保底服务): the lines and accounts that stay open to a card, and the cards that never get it.

A card in lifeline calls and writes to what a card barred outgoing may call (`OpenLines.called`). It is called by
`OpenLines.callers`, and gets messages from `OpenLines.accounts`; data is off.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from duanka.domain.phone_number import AREA, parse

GOVERNMENT_LINE = "12345"
# A swindler uses such a card together with others, or to receive the codes of others: incoming calls and messages are
# what it is for.
NEVER_RULES = frozenset({"code_receiver", "sim_box", "in_ring"})


@dataclass(frozen=True)
class OpenLines:
    """What the proxies let through in lifeline; `called` also where outgoing calls alone are barred.

    `called`, `callers`: lines as dialled at home, where each `x` is any digit (95xxx), or whole numbers. `accounts`:
    system_id that a client bound with, as the message centre authenticated it; lower case.
    """

    called: tuple[str, ...] = (GOVERNMENT_LINE,)
    callers: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


GOVERNMENT_ALONE = OpenLines()


@dataclass(frozen=True)
class LifelinePolicy:
    """A policy's additions: `numbers` beside 12345 and the operator's, `callers` beside the operator's, `accounts`."""

    numbers: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()

    def lines(self, *operator: str) -> OpenLines:
        """Return the lines of a policy whose `operator` has these numbers of its own."""
        return OpenLines(
            tuple(dict.fromkeys((GOVERNMENT_LINE, *operator, *self.numbers))),
            tuple(dict.fromkeys((*operator, *self.callers))),
            tuple(dict.fromkeys(one.lower() for one in self.accounts)),
        )


def line_pattern(lines: Iterable[str]) -> str:
    """Return a pattern of `lines` as the proxies normalise numbers; matches nothing if there are none.

    Each is also known with China's code, and behind the area code of a city. Python and POSIX read it alike.
    """
    whole, short = set[str](), set[str]()
    for line in lines:
        number = None if "x" in line else parse(line)
        digits = re.sub("[^0-9x]", "", line).replace("x", "[0-9]")
        (whole if number else short).add(number or digits)
    forms = sorted(whole)
    if short:
        forms.append(f"(00)?(86)?(0({AREA}))?({'|'.join(sorted(short))})")
        forms.append(f"(00)?86({AREA})({'|'.join(sorted(short))})")
    return f"({'|'.join(forms)})" if forms else "x^"


def why_never(rules: Collection[str], *, confirmed: bool) -> str:
    """Return why a card never gets the lifeline; "" if it may.

    `rules`: that hit it, of its open orders. `confirmed`: whether a word of the police about it stands (涉案).
    """
    if confirmed:
        return "the police confirmed it"
    if hit := sorted(NEVER_RULES & set(rules)):
        return f"{' and '.join(hit)} hit it, and such a card is never kept reachable"
    return ""
