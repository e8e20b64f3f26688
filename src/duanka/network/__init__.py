"""What an operator's network is told about cards: one file per supplier, and a fake for those who build on it."""
