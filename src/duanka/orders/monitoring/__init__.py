"""Monitoring: reconciliation, refusals, backlog, orders waiting for a person."""
