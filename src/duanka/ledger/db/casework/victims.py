"""Tables of victims."""
