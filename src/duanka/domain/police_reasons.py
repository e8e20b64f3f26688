"""Reason codes of police cases, which stand beside rule ids."""

CONFIRMED = "police_confirmed"  # not a rule: 涉案, not 高风险
CLAIMED = "police_unsigned"  # a case without a registered signature: neither a rule nor a confirmation
