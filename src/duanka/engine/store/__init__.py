"""The store: canonical records and partial rollups by day, on disk (docs/STORE.md)."""
