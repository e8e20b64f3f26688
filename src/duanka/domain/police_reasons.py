"""What stands among the reasons of a card beside rules: what the police say of it."""

CONFIRMED = "police_confirmed"  # is no rule: 涉案, not 高风险
CLAIMED = "police_unsigned"  # a case that no registered source signed: no rule, and no confirmation either
