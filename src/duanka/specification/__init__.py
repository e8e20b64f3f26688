"""Requirements of SPECIFICATION.md: states shown by tests, and confirmations."""
