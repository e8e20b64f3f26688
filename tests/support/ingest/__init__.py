"""What the tests of ingest share."""
