"""Wiring of the store of records."""
