"""The SQL of rules and rollups: limits filled in, translated for the engine that runs it."""
