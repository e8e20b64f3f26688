"""Audit trail: entries, digests of rows, the end kept outside of the database."""
