"""Parsing of policy files (TOML) into the policies of `domain`."""
