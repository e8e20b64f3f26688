"""Small worlds with a ring."""
