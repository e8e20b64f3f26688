"""Mappings read from TOML."""
