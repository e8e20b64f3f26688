"""Storage of canonical records, and removal of duplicates."""
