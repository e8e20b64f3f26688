"""SQL of rules and rollups: fills in limits, translates to the engine's dialect."""
