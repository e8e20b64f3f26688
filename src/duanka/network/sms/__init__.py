"""Adapter of the message proxy for orders."""
