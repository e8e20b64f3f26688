"""What the batch engines and the live engine share: DuckDB, hits, coverage of the records."""
