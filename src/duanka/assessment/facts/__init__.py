"""Facts: what happened in a period, counted by unit, and the cards behind each figure."""
