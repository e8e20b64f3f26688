"""Unit of work: one transaction of the order database, with its four-eyes rules."""
