"""Live intake from a folder in which files land."""
