"""Live intake: micro-batches from files and messages."""
