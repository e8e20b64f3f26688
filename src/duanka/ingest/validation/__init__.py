"""Validation of records, and the quarantine."""
