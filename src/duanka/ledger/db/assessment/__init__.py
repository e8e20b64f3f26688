"""Tables of the assessment; they are in the one `metadata` of the order database."""
