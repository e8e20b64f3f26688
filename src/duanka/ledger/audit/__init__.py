"""The audit trail: entries, digests of rows, the end kept outside, backups."""
