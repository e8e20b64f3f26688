"""Ledger: transactions, audit trail, people and alarms, shared by several rooms."""
