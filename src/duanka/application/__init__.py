"""Use cases: one module for each; the rooms are reached through Protocols."""
