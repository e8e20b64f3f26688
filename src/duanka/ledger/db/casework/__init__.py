"""Tables of casework; they are in the one `metadata` of the order database."""
