"""Commands about the store of records."""
