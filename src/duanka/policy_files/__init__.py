"""Reads policy files (TOML) into the policies of `domain`."""
