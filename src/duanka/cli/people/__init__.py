"""Commands about people: who acts, persons, keys, sources of police cases."""
