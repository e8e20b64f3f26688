"""Reconciliation with the network, refusals, backlog, what waits for a person."""
