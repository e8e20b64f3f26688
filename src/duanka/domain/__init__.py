"""Domain model: tables, rollups, rules, hits, policies, decisions, orders; no I/O."""
