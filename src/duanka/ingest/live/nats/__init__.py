"""Live intake from NATS JetStream."""
