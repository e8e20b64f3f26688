"""Reading of mapping files (TOML)."""
