"""People who act: persons, keys, scopes, sources of police cases."""
