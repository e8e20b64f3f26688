"""Live intake from an inbox folder."""
