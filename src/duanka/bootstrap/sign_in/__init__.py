"""Wiring of the provider that people sign in by."""
