"""Commands about people: acting person, persons, keys, sources of police cases."""
