"""Engines of a scan: DuckDB in this process, Spark through Spark Connect."""
