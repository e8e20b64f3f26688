"""Tables of clues."""
