"""Composition root: constructs the real components; nothing else reads settings."""
