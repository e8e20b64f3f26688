"""Reason codes of police cases, used in the same fields as rule ids."""

from __future__ import annotations

from duanka.domain.text import BilingualText

CONFIRMED = "police_confirmed"  # no rule: the card is part of a case (涉案), not merely at risk (高风险)
CLAIMED = "police_unsigned"  # in a case file without a registered signature: no rule, no confirmation

WORDS = {
    CONFIRMED: BilingualText("公安认定涉案", "Confirmed by the police"),
    CLAIMED: BilingualText("无签章的案件名单", "In an unsigned list of cases"),
}
