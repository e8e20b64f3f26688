"""Reason codes of police cases, used in the same fields as rule ids."""

CONFIRMED = "police_confirmed"  # no rule: the card is part of a case (涉案), not merely at risk (高风险)
CLAIMED = "police_unsigned"  # in a case file without a registered signature: no rule, no confirmation
