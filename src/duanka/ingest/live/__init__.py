"""Live intake: micro-batches out of files and messages."""
