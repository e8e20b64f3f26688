"""Phone-number grammar as regular expressions for Kamailio's configuration."""

from __future__ import annotations

import re

from duanka.domain import phone_number as grammar
from duanka.domain.lifeline import OpenLines, line_pattern
from duanka.domain.phone_number import ProtectedNumbers

# Headers besides From that name a caller or diverting party, asserted or only claimed (RFC 3325, 5806, 7044).
IDENTITY_HEADERS = (
    *("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Diversion", "History-Info"),
)
# Blanks, dashes and invisible marks in UTF-8, and a no-break space in Latin-1.
_INVISIBLE = (
    "\u00a0\u00ad\u2009\u2010\u2011\u2012\u2013\u2014\u2015\u200b\u200e\u200f"
    "\u202a\u202c\u202d\u202f\u2212\u3000\ufeff\udca0"
)
LEAST_DIGITS = 10  # shortest form of a subscriber number
_BRACED = re.compile(r"(\[[^]]+\])\{([0-9]+)(?:,([0-9]+))?\}")


def number_patterns(protected: ProtectedNumbers, lines: OpenLines) -> dict[str, object]:
    """Return the template values. `protected`: numbers that every card may call; `lines`: see `OpenLines`."""
    return {
        "called_lines": line_pattern(lines.called),
        "calling_lines": line_pattern(lines.callers),
        "sos": grammar.SENT_SOS,
        "short_context": f"^{grammar.SHORT_CONTEXT}$",
        "usual": "^[+]?[0-9]+$",
        "whole": f"^86({grammar.MOBILE})$",
        "least": LEAST_DIGITS,
        "lines": protected.form,
        "subscribers": sorted(protected.subscribers),
        "mobile": grammar.MOBILE,
        "fixed": grammar.FIXED,
        "mobile_form": grammar.MOBILE_FORM,
        "machine_form": grammar.MACHINE_FORM,
        "freephone_form": grammar.FREEPHONE_FORM,
        "fixed_form": grammar.FIXED_FORM,
        "lab_form": grammar.LAB_FORM,
        "north_american": grammar.NORTH_AMERICAN_FORM,
        "before_fixed": _without_braces(
            f"{grammar.CODES}{grammar.CARRIER}?({grammar.CHINA}{grammar.CARRIER}?0?|0)"
        ),
        "later": "[0-9*#,;pw]?",
        "digit": "[0-9]",
        "invisible": list(_INVISIBLE),
        "identities": IDENTITY_HEADERS,
    }


def _without_braces(pattern: str) -> str:
    """Rewrite `{n}` counts: a brace would end a Kamailio transformation."""

    def repeated(found: re.Match[str]) -> str:
        atom, least, most = found[1], int(found[2]), int(found[3] or found[2])
        return atom * least + f"{atom}?" * (most - least)

    return _BRACED.sub(repeated, pattern)
