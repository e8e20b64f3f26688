"""Orders: what is asked for a card, until when, by whose word; durable, audited, on SQLite or PostgreSQL."""
