"""The vocabulary of the house: tables, rollups, rules, hits, policies, decisions. Standard library only."""
