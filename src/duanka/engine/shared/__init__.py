"""Shared by the batch and live engines: DuckDB, hits, coverage of the records."""
