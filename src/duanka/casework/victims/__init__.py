"""Victims: found from confirmed cards, ranked by danger, warned, called back, told when it was an error."""
